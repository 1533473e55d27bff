/** Opens the sheet of places in small windows. The sheet (menu-sheet.tsx) stands in the shell. */
let opener: (() => void) | null = null

export const openMenu = (): void => opener?.()

export function setMenuOpener(open: (() => void) | null): void {
  opener = open
}
