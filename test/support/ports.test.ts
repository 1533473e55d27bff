import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePorts } from './ports.ts'

test.each(['tcp', 'udp'] as const)('%s ports are neighbours and can be listened on', async protocol => {
  const ports = await freePorts(5, protocol)
  const [first = 0] = ports
  expect(ports).toEqual([0, 1, 2, 3, 4].map(index => first + index))
  for (const port of ports) {
    const listener =
      protocol === 'tcp' ? createServer().listen(port, '127.0.0.1') : createSocket('udp4').bind(port, '127.0.0.1')
    await once(listener, 'listening')
    await new Promise<void>(resolve => {
      listener.close(() => resolve())
    })
  }
})

test('no port is given twice', async () => {
  const chosen = await Promise.all(Array.from({ length: 50 }, () => freePorts(20, 'tcp')))
  expect(new Set(chosen.flat()).size).toBe(1000)
})
