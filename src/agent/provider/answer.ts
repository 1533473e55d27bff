/** The answer to a poll: the current body whole, or a 503 while there is none. */
import type { Snapshot } from '../../core/payload.ts'
import { LOCAL_HEADERS, type PlainAnswer, plainAnswer } from '../local-http.ts'

/** Status, headers and bytes of an answer, always with its length. */
export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: Buffer
  /** Of the snapshot whose body this is; null when it is a sentence. */
  readonly hash: string | null
}

export const refusalAnswer = (answer: PlainAnswer): Answer => ({
  status: answer.status,
  hash: null,
  ...plainAnswer(answer),
})

export const NO_STATE_ANSWER: Answer = refusalAnswer({
  status: 503,
  text: 'there is no configuration yet: no source has given a valid state so far; `fairlead status` says why',
})

/** The bytes are made when somebody first asks for them, and then shared by all answers: a body can have 20 MB. */
export function makeServed({ hash, body }: Snapshot): { readonly hash: string; readonly answer: () => Answer } {
  let made: Answer | null = null
  return {
    hash,
    answer() {
      made ??= bodyAnswer(hash, body)
      return made
    },
  }
}

function bodyAnswer(hash: string, text: string): Answer {
  const body = Buffer.from(text)
  // Merge keys are the only thing in a body that JSON does not have. With their sign inside a string it is YAML all the same.
  const type = text.includes('<<') ? 'application/yaml' : 'application/json'
  return { status: 200, hash, body, headers: { ...LOCAL_HEADERS, 'Content-Type': type, 'Content-Length': body.length } }
}
