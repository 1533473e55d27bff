import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { atEnd } from './at-end.ts'

/** A way to the server that, once armed, lets the next commit through and cuts the connection before its answer. */
export async function commitCutter(url: string): Promise<{ readonly url: string; arm(): void }> {
  let armed = false
  const sockets = new Set<Socket>()
  const proxy = createServer(client => {
    const upstream = connect(Number(new URL(url).port), '127.0.0.1')
    let cut = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', chunk => {
      if (armed && chunk.includes('commit\0')) {
        armed = false
        cut = true
      }
      upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      if (cut) client.destroy()
      else client.write(chunk)
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  atEnd(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const through = new URL(url)
  through.port = String(address.port)
  return {
    url: through.href,
    arm: () => {
      armed = true
    },
  }
}
