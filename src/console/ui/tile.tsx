/** The tile of a service: two letters for what it speaks. Decoration, since the word stands beside it. */
import type { ReactElement } from 'react'
import type { PresetId } from '../../api/port.ts'
import type { Protocol } from '../../core/problem.ts'
import { presetTile } from '../words/preset.ts'

type TileProps = { readonly preset: PresetId | null; readonly protocols: readonly Protocol[]; readonly large?: boolean }

export function Tile({ preset, protocols, large = false }: TileProps): ReactElement {
  return (
    <span className={large ? 'pi lg' : 'pi'} aria-hidden>
      {presetTile(preset, protocols)}
    </span>
  )
}
