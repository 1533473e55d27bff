/**
 * Every page, drawer and dialog in every look that people ask their systems for: axe finds nothing serious, nothing scrolls sideways,
 * and one sees where the focus is. Once opened, a page is looked at in one look after the other, as when somebody changes the setting.
 */
import type { BrowserContext, Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { COLOUR_RULES } from '../support/console.ts'
import { focusFaultsOf } from '../support/console-focus.ts'
import { PLACES, type Place } from '../support/console-places.ts'
import { openPlatform, type Platform } from '../support/console-platform.ts'
import { part } from '../support/parts.ts'

type Media = Parameters<Page['emulateMedia']>[0]

/** What people ask for beside a dark theme; only colours are other. */
const COLOURS: readonly (readonly [name: string, media: Media])[] = [
  ['dark', { colorScheme: 'dark' }],
  ['dark, more contrast', { colorScheme: 'dark', contrast: 'more' }],
  ['more contrast', { colorScheme: 'light', contrast: 'more' }],
]

/** What would move for somebody who wants no motion. */
const moving = (): string[] => {
  const found = new Set<string>()
  for (const element of document.querySelectorAll('*'))
    for (const pseudo of [null, '::before', '::after']) {
      const { animationName, animationDuration, transitionDuration } = getComputedStyle(element, pseudo)
      const times = [animationName === 'none' ? '0s' : animationDuration, transitionDuration].join(', ').split(', ')
      if (times.some(one => Number.parseFloat(one) > 0)) found.add(`${element.className}${pseudo ?? ''}: ${times}`)
    }
  return [...found]
}

const none = (faults: Readonly<Record<string, readonly string[]>>): Record<string, readonly string[]> =>
  Object.fromEntries(Object.keys(faults).map(name => [name, []]))

describe.skipIf(!part('chromium'))('in every look', () => {
  let platform: Platform
  const contexts = new Map<number, BrowserContext>()
  beforeAll(async () => {
    platform = await openPlatform()
    const { rig } = platform
    await rig.control.asAdmin('POST', '/tokens', { name: 'ci-deploy', scopes: ['write'], expiresInSeconds: 86_400 })
    // Signed in once for each width; what the console is made of is then fetched once, too.
    for (const width of [1_440, 390]) contexts.set(width, (await rig.open('/nowhere', { width })).context())
  })
  beforeEach(() => platform.heard())

  async function openPlace({ path, open, there, signedIn = true }: Place, width: number): Promise<Page> {
    const context = signedIn ? contexts.get(width) : undefined
    const given = context === undefined ? { width, signedIn } : { context }
    const page = await platform.rig.open(path(platform), given)
    onTestFinished(() => page.close())
    await open?.(page, platform)
    await there(page).waitFor()
    return page
  }

  test.each(PLACES.filter(place => place.isForNarrow !== true))('$what: no fault', async place => {
    const { rig } = platform
    const page = await openPlace(place, 1_440)
    const light = await rig.faultsOf(page)
    const faults: Record<string, readonly string[]> = { light, focus: await focusFaultsOf(page) }
    for (const [name, media] of COLOURS) {
      await page.emulateMedia(media)
      faults[name] = await rig.faultsOf(page, { rules: COLOUR_RULES })
    }
    await page.emulateMedia({ colorScheme: 'light', contrast: 'no-preference', forcedColors: 'active' })
    faults['focus in forced colours'] = await focusFaultsOf(page)
    await page.emulateMedia({ forcedColors: 'none', reducedMotion: 'reduce' })
    faults.still = await page.evaluate(moving)
    expect(faults).toEqual(none(faults))
  })

  test.each(PLACES.filter(place => place.isForWide !== true))('$what: no fault in a small window', async place => {
    const { rig } = platform
    const page = await openPlace(place, 390)
    const faults: Record<string, readonly string[]> = { '390 px': await rig.faultsOf(page) }
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.setViewportSize({ width: 320, height: 640 })
    faults['320 px, dark'] = await rig.faultsOf(page, { rules: [...COLOUR_RULES, 'target-size'] })
    faults.focus = await focusFaultsOf(page)
    expect(faults).toEqual(none(faults))
  })
})
