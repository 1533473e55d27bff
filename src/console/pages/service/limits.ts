/** What confines a port, in words. Pure. */
import type { Port } from '../../../api/port.ts'
import { fullWords } from '../../words/time.ts'

export type Limit = { readonly name: string; readonly value: string; readonly isMono: boolean }

/** What its protocol has no word for is left out. */
export function limitsOf(port: Port): readonly Limit[] {
  const plain = (name: string, value: string): Limit => ({ name, value, isMono: false })
  const limits: Limit[] = []
  if (port.protocol === 'tcp') {
    limits.push(
      port.allowCidrs.length === 0
        ? plain('Who may connect', 'anyone on the Internet')
        : { name: 'Who may connect', value: port.allowCidrs.join(', '), isMono: true },
      plain(
        'Connections',
        port.maxConnectionsPerClient === null ? 'no limit' : `${port.maxConnectionsPerClient} at most for each client`,
      ),
      plain('PROXY protocol', port.proxyProtocol === null ? 'off' : `version ${port.proxyProtocol}`),
    )
  }
  if (port.protocol === 'http') limits.push(plain('Redirect to HTTPS', port.redirectToHttps === false ? 'off' : 'on'))
  if (port.certResolver !== null) limits.push({ name: 'Certificate resolver', value: port.certResolver, isMono: true })
  limits.push(plain('Probe', port.probe === null || port.probe === false ? 'off' : 'on'))
  limits.push(plain('Health check', port.healthCheck === null ? 'off' : `every ${port.healthCheck.interval ?? '10s'}`))
  limits.push(plain('Ends', port.expiresAt === null ? 'never' : fullWords(new Date(port.expiresAt))))
  return limits
}
