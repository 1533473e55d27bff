/** Headers as they came: Node joins or drops repeated ones, and one that is there twice may mean two things to two readers. */
import type { IncomingMessage } from 'node:http'

/** Every value of a header, in order. The name in small letters. */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): readonly string[] {
  return rawHeaders.filter((_value, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}
