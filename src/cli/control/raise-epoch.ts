/** `fairlead control raise-epoch`: after a restore. */
import { NewEpoch } from '../../api/transfer.ts'
import { withClient } from '../client/connection.ts'
import { defineCommand } from '../command.ts'
import { CONTROL_CONFIG_OPTION, loadControlConfig } from './load-control-config.ts'
import { openLocalClient } from './local.ts'

export const raiseEpochCommand = defineCommand({
  name: 'control raise-epoch',
  usage: '[options]',
  about: [
    'Begins a new epoch. Nodes refuse a revision that is lower than one that they have had; after a\nbackup of the database was restored that is every one, until the epoch is raised. What they\nserve goes on meanwhile, as it is.',
    'Numbers that nobody has rest until every node has confirmed the new epoch: what was given to\nwhom since the backup is not known, and a node may serve it to this day.',
  ],
  options: { config: CONTROL_CONFIG_OPTION, json: { value: null, help: 'as JSON: epoch, revision, restedPorts' } },
  positionals: { min: 0, max: 0, name: '' },
  examples: [{ what: 'after a restore, with the control plane running', command: 'fairlead control raise-epoch' }],
  exitCodes: [
    [0, 'a new epoch has begun'],
    [2, 'wrong settings'],
    [3, 'no control plane runs here, or its database is away'],
  ],
  async run(args, io) {
    const client = await openLocalClient(await loadControlConfig(args.text('config'), io))
    const begun = await withClient(client, () => client.ask({ method: 'POST', path: '/epoch' }, NewEpoch))
    io.out(
      args.flag('json')
        ? `${JSON.stringify(begun)}\n`
        : `Epoch ${begun.epoch} has begun, at revision ${begun.revision}. ${begun.restedPorts} free ports rest until every node has confirmed it.\n`,
    )
    return 0
  },
})
