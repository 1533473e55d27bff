/**
 * The configuration that the route became: what a node says that Traefik got, or what the same code makes of it here. Nodes that have the
 * same share a block; where they differ the blocks stand side by side. The line that a broken link speaks of is marked, with what is wrong.
 */
import { Fragment, type ReactElement, useMemo, useState } from 'react'
import { Card } from '../../ui/card.tsx'
import { CodeBlock } from '../../ui/code.tsx'
import { Segments } from '../../ui/controls.tsx'
import { Shape } from '../../verdict/shapes.tsx'
import { withMarks } from '../../words/safe-text.ts'
import {
  type ConfigGroup,
  type ConfigNode,
  differingLines,
  faultyLines,
  groupConfigs,
  namesWords,
} from './config-groups.ts'
import { jsonLines, type Line, linesText, type Token, yamlLines } from './config-lines.ts'
import './config.css'

const CLASSES: Readonly<Record<Token['kind'], string | undefined>> = {
  key: 'k',
  text: 's',
  number: 'd',
  plain: undefined,
}

/** More would be no comparison any more; the tabs of the nodes lead to each. */
const MOST_GROUPS = 4

/** Of more the names are in the title. */
const MOST_NAMED = 4

type ConfigCardProps = {
  readonly nodes: readonly ConfigNode[]
  /** Its group stands first. */
  readonly chosen: string
  readonly protocol: 'http' | 'tcp' | 'udp'
}

export function ConfigCard({ nodes, chosen, protocol }: ConfigCardProps): ReactElement | null {
  const [format, setFormat] = useState<'yaml' | 'json'>('yaml')
  const groups = useMemo(() => groupConfigs(nodes, chosen), [nodes, chosen])
  const blocks = useMemo(
    () =>
      groups.slice(0, MOST_GROUPS).map(group => {
        const value = { [protocol]: { routers: group.routers, services: group.services } }
        return { group, lines: format === 'yaml' ? yamlLines(value) : jsonLines(value) }
      }),
    [groups, format, protocol],
  )
  if (groups.length === 0) return null
  const unknown = nodes.filter(({ configuration }) => configuration === null).map(({ nodeName }) => withMarks(nodeName))
  return (
    <Card
      title="Traefik configuration"
      aside={
        <Segments
          label="Format"
          value={format}
          onChange={setFormat}
          choices={[
            { value: 'yaml', label: 'YAML' },
            { value: 'json', label: 'JSON' },
          ]}
        />
      }
    >
      <div className="card-b stack g4">
        <div className={groups.length > 1 ? 'configs several' : 'configs'}>
          {blocks.map(({ group, lines }) => (
            <Block
              key={group.nodes[0]?.nodeId}
              {...{ group, lines }}
              first={blocks[0]?.lines ?? []}
              isOnly={groups.length === 1 && unknown.length === 0}
              total={nodes.length}
            />
          ))}
        </div>
        {groups.length > MOST_GROUPS && (
          <p className="hint">{groups.length - MOST_GROUPS} more nodes have another one each: choose the node above.</p>
        )}
        {unknown.length > 0 && <p className="hint">Not known of {namesWords(unknown)}.</p>}
      </div>
    </Card>
  )
}

type BlockProps = {
  readonly group: ConfigGroup
  readonly lines: readonly Line[]
  /** Of the first block: what differs from it is marked. */
  readonly first: readonly Line[]
  /** Every node has it. */
  readonly isOnly: boolean
  readonly total: number
}

function Block({ group, lines, first, isOnly, total }: BlockProps): ReactElement {
  const names = group.nodes.map(({ nodeName }) => withMarks(nodeName))
  const faults = useMemo(() => faultyLines(group, lines), [group, lines])
  const differing = useMemo(() => (lines === first ? new Set<number>() : differingLines(lines, first)), [lines, first])
  const title =
    isOnly && total > 1
      ? `The same on ${total === 2 ? 'both nodes' : `all ${total} nodes`}`
      : names.length > MOST_NAMED
        ? `The same on ${names.length} nodes`
        : `${names.length > 1 ? 'The same on' : 'On'} ${namesWords(names)}`
  return (
    <section className="config stack tight" aria-label={title}>
      <h3 title={names.join(', ')}>{title}</h3>
      <CodeBlock text={`${linesText(lines)}\n`} what="configuration">
        {lines.map((line, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its place alone
          <Fragment key={at}>
            <LineOf line={line} fault={faults.get(at)} differs={differing.has(at)} />
          </Fragment>
        ))}
      </CodeBlock>
      <p className="hint">{originWords(group)}</p>
    </section>
  )
}

/** Who says so. */
function originWords({ nodes }: ConfigGroup): string {
  const without = nodes.filter(node => node.configuration?.origin === 'compiled' && node.verdict !== 'live')
  const names = namesWords(without.map(({ nodeName }) => withMarks(nodeName)))
  const made = 'Made here with the same code that the node runs; entry points are named as Fairlead generates them.'
  if (without.length === nodes.length) return `Not served on ${names}: this is what it would become there.`
  const served = nodes.every(({ configuration }) => configuration?.origin === 'served')
    ? 'As the node reported it.'
    : made
  return without.length === 0 ? served : `${served} Not served on ${names}.`
}

type LineOfProps = { readonly line: Line; readonly fault: string | undefined; readonly differs: boolean }

function LineOf({ line, fault, differs }: LineOfProps): ReactElement {
  const words = line.map(({ text, kind }, place) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a part is known by its place alone
    <span key={place} className={CLASSES[kind]}>
      {withMarks(text)}
    </span>
  ))
  if (fault !== undefined)
    return (
      <mark className="hl">
        {words}
        {'\n'}
        <span className="note">
          <Shape of="refused" size={14} />
          <span>{withMarks(fault)}</span>
        </span>
      </mark>
    )
  if (differs)
    return (
      <mark className="differs">
        {words}
        <span className="vh"> (differs)</span>
        {'\n'}
      </mark>
    )
  return (
    <>
      {words}
      {'\n'}
    </>
  )
}
