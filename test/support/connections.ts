/** TCP connections that a test keeps open, from any address of 127.0.0.0/8: to others each of them is another client. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { atEnd } from './at-end.ts'

export type Connection = {
  /** The first line that the other end said; null when it closed without a word. */
  readonly said: string | null
  /** Whether it is over, from whichever end. */
  closed(): boolean
  close(): Promise<void>
}

/** Resolves once the other end has said a line, or closed. Rejects when it does neither in time. */
export async function openTcp(
  port: number,
  { from = '127.0.0.1', timeoutMs = 10_000 }: { readonly from?: string; readonly timeoutMs?: number } = {},
): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  const close = async () => {
    if (socket.destroyed) return
    const closed = once(socket, 'close')
    socket.destroy()
    await closed
  }
  atEnd(close)
  let text = ''
  const said = await new Promise<string | null>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`port ${port} neither spoke nor closed in ${timeoutMs} ms`)),
      timeoutMs,
    )
    const finish = (line: string | null) => {
      clearTimeout(timer)
      resolve(line)
    }
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.includes('\n')) finish(text.slice(0, text.indexOf('\n')))
    })
    socket.on('error', () => finish(null))
    socket.on('close', () => finish(null))
  })
  return { said, closed: () => socket.destroyed, close }
}

/** What one connection, closed again at once, was told. */
export async function tcpSaid(port: number, from?: string): Promise<string | null> {
  const { said, close } = await openTcp(port, from === undefined ? {} : { from })
  await close()
  return said
}
