import { expect, test } from 'vitest'
import { metricNamesIn } from './promql.ts'

test.each<[expr: string, names: string[]]>([
  ['up{job="x"} == 0', ['up']],
  ['sum by (le) (rate(a_bucket{i=~"$i"}[5m]))', ['a_bucket']],
  ['sum(a) by (b) / on (c) group_left () d', ['a', 'd']],
  ['a unless on (job, instance) b{state="down"} == 1', ['a', 'b']],
  ['time() - a_seconds > 1e3', ['a_seconds']],
  ['topk(20, x:y:z) > bool 1 and z offset 5m', ['x:y:z', 'z']],
  ['label_replace(a, "b", "$1", "c", "(.*)")', ['a']],
  ['1 + 2', []],
])('%s names %j', (expr, names) => {
  expect(metricNamesIn(expr)).toEqual(names)
})
