/** What a page says of the focus: each thing that takes it shows that it has it, and nothing lies over it. Runs in the page. */
import type { Page } from 'playwright-core'

/** Empty, or `not seen: ...` and `covered: ...` for each thing on which one would not know where one is. */
export async function focusFaultsOf(page: Page): Promise<readonly string[]> {
  // From a key on, browsers show the focus.
  await page.keyboard.press('Shift')
  const before = await page.evaluateHandle(() => document.activeElement)
  const faults = await page.evaluate(look)
  await page.evaluate(element => element instanceof HTMLElement && element.focus(), before)
  return faults
}

function look(): string[] {
  const SELECTOR = 'a[href], button, input, select, textarea, summary, [tabindex="0"]'
  const nameOf = (element: Element): string =>
    `${element.tagName.toLowerCase()} ${(element.getAttribute('aria-label') ?? element.textContent ?? '').trim().slice(0, 40)} .${element.className}`
  // The ring may be around the field that something stands in.
  const around = (element: Element): readonly Element[] => {
    const found: Element[] = []
    for (let one: Element | null = element; one !== null && found.length < 4; one = one.parentElement) found.push(one)
    return found
  }
  const ringOf = (element: Element): string => {
    const { outlineStyle, outlineWidth, outlineColor, outlineOffset, boxShadow } = getComputedStyle(element)
    const isRing = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2
    return `${isRing ? `${outlineStyle} ${outlineWidth} ${outlineColor} ${outlineOffset}` : ''} ${boxShadow}`
  }
  // A dialog keeps the focus in it.
  const top = [...document.querySelectorAll('[role="dialog"], [role="menu"], dialog[open]')].at(-1) ?? document
  const stops = [...top.querySelectorAll<HTMLElement>(SELECTOR)].filter(
    element =>
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
      element.tabIndex >= 0 &&
      !element.matches(':disabled, [data-base-ui-focus-guard]'),
  )
  // Where the focus cannot be elsewhere, as in the palette, nobody asks where it is.
  if (stops.length < 2) return []
  const faults: string[] = []
  for (const element of stops) {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
    const rings = around(element).map(ringOf)
    element.focus()
    if (document.activeElement !== element) continue
    if (around(element).every((one, at) => ringOf(one) === rings[at])) faults.push(`not seen: ${nameOf(element)}`)
    const { left, right, top, bottom } = element.getBoundingClientRect()
    const points = [0.5, 0.1, 0.9].flatMap(x =>
      [0.5, 0.1, 0.9].map(y => [left + (right - left) * x, top + (bottom - top) * y] as const),
    )
    const isSeen = points.some(([x, y]) => {
      const hit = document.elementFromPoint(x, y)
      return hit !== null && (element.contains(hit) || hit.contains(element) || hit.closest('label')?.contains(element))
    })
    if (!isSeen) faults.push(`covered: ${nameOf(element)} at ${Math.round(left)},${Math.round(top)}`)
  }
  return faults
}
