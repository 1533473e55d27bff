/** `fairlead control`: the control plane, and its chores on this host. */
import { nearest } from '../lib/nearest.ts'
import { type Command, defineCommand } from './command.ts'
import { adminLinkCommand } from './control/admin-link.ts'
import { CONTROL_CONFIG_OPTION } from './control/load-control-config.ts'
import { raiseEpochCommand } from './control/raise-epoch.ts'
import { tokenCommand } from './control/token.ts'
import { exportCommand, importCommand } from './control/transfer.ts'

const CHORES: Readonly<Record<string, Command>> = {
  'admin-link': adminLinkCommand,
  token: tokenCommand,
  'raise-epoch': raiseEpochCommand,
  export: exportCommand,
  import: importCommand,
}

const runCommand = defineCommand({
  name: 'control',
  usage: '[options]   or   fairlead control CHORE',
  about: [
    'The control plane: REST interface, web console and database, in one process. It logs JSON lines\nto stdout, and says on stderr where it listens and, until somebody has signed in, a one-time link.',
    'Without a database server (database.url or DATABASE_URL) it keeps everything in its state\ndirectory. SIGTERM and SIGINT stop it; SIGHUP makes it read its certificate\nagain, and say which of its settings have changed: those count after a restart.',
    'Chores on the host of a running control plane, each with --help:\n  admin-link        a one-time link to the console\n  token             make, list and revoke API tokens\n  raise-epoch       after a backup was restored\n  export, import    everything, in one file',
  ],
  options: { config: CONTROL_CONFIG_OPTION },
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    { what: 'with the settings of /etc/fairlead/control.yaml', command: 'fairlead control' },
    {
      what: 'without a file: every setting is a variable, too',
      command: 'FAIRLEAD_STATE_DIRECTORY=/srv/control DATABASE_URL=postgres://... fairlead control',
    },
    { what: 'to sign in', command: 'fairlead control admin-link' },
  ],
  exitCodes: [
    [0, 'stopped, as it was told to'],
    [1, 'ended by a fault, or by a second signal'],
    [2, 'wrong settings'],
    [3, 'it cannot start: a port is taken, the state directory or the database cannot be used'],
  ],
  // The database and the server are loaded when they are needed: the chores do without them.
  run: async (args, io) => (await import('./control/run.ts')).runControl(args.text('config'), io),
})

export const controlCommand: Command = {
  name: runCommand.name,
  help: runCommand.help,
  async run(argv, io) {
    const [first, ...rest] = argv
    if (first === undefined || first.startsWith('-')) return runCommand.run(argv, io)
    const chore = Object.hasOwn(CHORES, first) ? CHORES[first] : undefined
    if (chore !== undefined) return chore.run(rest, io)
    const near = nearest(first, Object.keys(CHORES))
    const hint = near === null ? `chores are ${Object.keys(CHORES).join(', ')}` : `did you mean ${near}?`
    io.err(`fairlead control: ${JSON.stringify(first)} is not a chore; ${hint}\nfairlead control --help tells more\n`)
    return 2
  },
}
