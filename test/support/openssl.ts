/** `openssl s_client` as a client: the certificate that a port shows to a server name, seen by a program that is neither Node nor Go. */
import { execFile } from 'node:child_process'
import { atEnd } from './at-end.ts'

/** The common name of the certificate; null when there was no handshake, `late` when it was still at it when its time was over. */
export function opensslClient(port: number, servername: string, timeoutMs = 10_000): Promise<string | null> {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', servername]
  return new Promise(resolve => {
    const child = execFile('openssl', args, { timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, output) => {
      const subject = /^subject=(?:.*, ?)?CN ?= ?(.*)$/m.exec(output)?.[1]
      resolve(error?.killed ? 'late' : (subject ?? null))
    })
    atEnd(() => child.kill('SIGKILL'))
    // The end of its input ends it after the handshake.
    child.stdin?.end()
  })
}
