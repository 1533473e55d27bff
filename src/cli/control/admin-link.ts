/** `fairlead control admin-link`: a way in for whoever may run programs on the host as the control plane's user. */
import { LoginLink } from '../../api/transfer.ts'
import { withClient } from '../client/connection.ts'
import { defineCommand } from '../command.ts'
import { CONTROL_CONFIG_OPTION, loadControlConfig } from './load-control-config.ts'
import { openLocalClient } from './local.ts'

export const adminLinkCommand = defineCommand({
  name: 'control admin-link',
  usage: '[options]',
  about: [
    'Prints a link that opens the console with every scope, once, within half an hour. It asks the\ncontrol plane that runs on this host, with the admin token of its state directory: run it as\nthe user of that, or as root.',
  ],
  options: { config: CONTROL_CONFIG_OPTION, json: { value: null, help: 'as JSON: url, expiresAt' } },
  positionals: { min: 0, max: 0, name: '' },
  examples: [{ what: 'to sign in', command: 'fairlead control admin-link' }],
  exitCodes: [
    [0, 'the link is on stdout'],
    [2, 'wrong settings'],
    [3, 'no control plane runs here, or its token cannot be read'],
  ],
  async run(args, io) {
    const client = await openLocalClient(await loadControlConfig(args.text('config'), io))
    const link = await withClient(client, () => client.ask({ method: 'POST', path: '/login-links' }, LoginLink))
    io.out(args.flag('json') ? `${JSON.stringify(link)}\n` : `${link.url}\n`)
    return 0
  },
})
