/** The configuration that the route became: what the node says that Traefik got, or what the same code makes of it here. */
import { Fragment, type ReactElement, useMemo, useState } from 'react'
import type { RouteConfiguration } from '../../../api/route.ts'
import { Card } from '../../ui/card.tsx'
import { CodeBlock } from '../../ui/code.tsx'
import { Segments } from '../../ui/controls.tsx'
import { withMarks } from '../../words/safe-text.ts'
import { jsonLines, type Line, linesText, type Token, yamlLines } from './config-lines.ts'

const CLASSES: Readonly<Record<Token['kind'], string | undefined>> = {
  key: 'k',
  text: 's',
  number: 'd',
  plain: undefined,
}

export function ConfigCard({
  configuration,
  protocol,
}: {
  readonly configuration: RouteConfiguration
  readonly protocol: 'http' | 'tcp' | 'udp'
}): ReactElement {
  const [format, setFormat] = useState<'yaml' | 'json'>('yaml')
  const { origin, routers, services } = configuration
  const lines = useMemo(() => {
    const value = { [protocol]: { routers, services } }
    return format === 'yaml' ? yamlLines(value) : jsonLines(value)
  }, [format, protocol, routers, services])
  return (
    <Card
      title={origin === 'served' ? 'What Traefik got' : 'What it compiles to'}
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
      <div className="card-b stack tight">
        <CodeBlock text={`${linesText(lines)}\n`} what="configuration">
          <Lines lines={lines} />
        </CodeBlock>
        <p className="hint">
          {origin === 'served'
            ? 'As the node reported it.'
            : 'Made here with the same code that the node runs; entry points are named as Fairlead generates them.'}
        </p>
      </div>
    </Card>
  )
}

function Lines({ lines }: { readonly lines: readonly Line[] }): ReactElement {
  return (
    <>
      {lines.map((line, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is known by its place alone
        <Fragment key={at}>
          {line.map(({ text, kind }, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: so is a part of it
            <span key={place} className={CLASSES[kind]}>
              {withMarks(text)}
            </span>
          ))}
          {'\n'}
        </Fragment>
      ))}
    </>
  )
}
