/** Opens the palette from anywhere. The host (palette-host.tsx) stands in the shell. */
let opener: (() => void) | null = null

export const openPalette = (): void => opener?.()

export function setPaletteOpener(open: (() => void) | null): void {
  opener = open
}
