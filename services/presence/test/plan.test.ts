import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import { plan, type Current, type Desired, type Load } from '../src/plan.ts'

const desired: Desired = {
  tolerance: 0.3,
  toleratedConnections: 20,
  batch: 0.05,
  roundConnections: 2_000,
  cooldownMs: 30_000,
}

function load(instance: string, connections: number, more: Partial<Load> = {}): Load {
  return { instance, connections, isDraining: false, sheds: true, shedAtMs: undefined, ...more }
}

function current(gateways: Load[], more: Partial<Current> = {}): Current {
  return { clockMs: 1_000_000, changedAtMs: 0, gateways, ...more }
}

describe('the plan that evens out connections', () => {
  const cases: readonly {
    what: string
    gateways: Load[]
    more?: Partial<Current>
    with?: Partial<Desired>
    sheds: Record<string, number>
  }[] = [
    { what: 'has nothing for nobody', gateways: [], sheds: {} },
    { what: 'has nothing for one gateway', gateways: [load('a', 5_000)], sheds: {} },
    {
      what: 'takes a few percent from the one that was there before the new one',
      gateways: [load('a', 1_000), load('b', 0)],
      sheds: { a: 50 },
    },
    {
      what: 'leaves those within the tolerance as they are',
      gateways: [load('a', 1_300), load('b', 700)],
      sheds: {},
    },
    {
      what: 'takes from the one just beyond it',
      gateways: [load('a', 1_301), load('b', 699)],
      sheds: { a: 66 },
    },
    {
      what: 'never goes below the mean, however large the batch',
      gateways: [load('a', 1_000), load('b', 0)],
      with: { batch: 1 },
      sheds: { a: 500 },
    },
    {
      what: 'does not move the last connections of a small cluster',
      gateways: [load('a', 30), load('b', 0)],
      sheds: {},
    },
    {
      what: 'does nothing while a gateway drains',
      gateways: [load('a', 1_000), load('b', 0), load('c', 400, { isDraining: true })],
      sheds: {},
    },
    {
      what: 'asks nothing of a gateway that can not shed, and goes on with the next',
      gateways: [load('a', 1_000, { sheds: false }), load('b', 900), load('c', 0)],
      sheds: { b: 45 },
    },
    {
      what: 'lets a gateway that was asked rest, and no other',
      gateways: [load('a', 1_000, { shedAtMs: 980_000 }), load('b', 900), load('c', 0)],
      sheds: { b: 45 },
    },
    {
      what: 'asks it again after that',
      gateways: [load('a', 1_000, { shedAtMs: 970_000 }), load('b', 0)],
      sheds: { a: 50 },
    },
    {
      what: 'waits after a gateway came or went',
      gateways: [load('a', 1_000), load('b', 0)],
      more: { changedAtMs: 970_001 },
      sheds: {},
    },
    {
      what: 'gives the budget of a round to the fullest first',
      gateways: [load('b', 40_000), load('a', 35_000), load('c', 0)],
      with: { roundConnections: 2_500 },
      sheds: { b: 2_000, a: 500 },
    },
  ]
  it.each(cases)('$what', ({ gateways, more = {}, with: own = {}, sheds }) => {
    const actions = plan(current(gateways, more), { ...desired, ...own })
    expect(
      Object.fromEntries(actions.map(({ instance, connections }) => [instance, connections])),
    ).toEqual(sheds)
  })
})

const someLoad = fc.record({
  connections: fc.nat(20_000),
  isDraining: fc.constant(false),
  sheds: fc.boolean(),
  shedAtMs: fc.option(fc.nat(1_000_000), { nil: undefined }),
})
const loads = (arbitrary: fc.Arbitrary<Omit<Load, 'instance'>>): fc.Arbitrary<Load[]> =>
  fc
    .array(arbitrary, { maxLength: 12 })
    .map((list) => list.map((one, i) => ({ ...one, instance: `g${i}` })))
const someDesired = fc.record({
  tolerance: fc.double({ min: 0.01, max: 2, noNaN: true }),
  toleratedConnections: fc.nat(50),
  batch: fc.double({ min: 0.01, max: 1, noNaN: true }),
  roundConnections: fc.integer({ min: 1, max: 5_000 }),
  cooldownMs: fc.nat(60_000),
})
const meanOf = (gateways: readonly Load[]): number =>
  gateways.reduce((sum, { connections }) => sum + connections, 0) / gateways.length

describe('whatever the loads are', () => {
  it('no gateway goes below the mean, and all bounds hold', () => {
    fc.assert(
      fc.property(loads(someLoad), someDesired, (gateways, desired) => {
        const now = current(gateways)
        const mean = meanOf(gateways)
        let moved = 0
        for (const { instance, connections } of plan(now, desired)) {
          const gateway = gateways.find((one) => one.instance === instance)
          if (gateway === undefined) throw new Error('an action for nobody')
          moved += connections
          expect(connections).toBeGreaterThan(0)
          expect(gateway.connections - connections).toBeGreaterThanOrEqual(mean)
          expect(connections).toBeLessThanOrEqual(Math.ceil(gateway.connections * desired.batch))
          expect(gateway.sheds).toBe(true)
          expect(gateway.connections).toBeGreaterThan(mean * (1 + desired.tolerance))
          const restedMs = now.clockMs - (gateway.shedAtMs ?? Number.NEGATIVE_INFINITY)
          expect(restedMs).toBeGreaterThanOrEqual(desired.cooldownMs)
        }
        expect(moved).toBeLessThanOrEqual(desired.roundConnections)
      }),
    )
  })

  it('nothing happens within the tolerance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }),
        someDesired,
        (base, parts, desired) => {
          // In pairs around the same mean, each as far above it as the other is below.
          const reach = Math.min(base, base * desired.tolerance)
          const gateways = parts.flatMap((part, i) => {
            const distance = Math.floor(Math.abs(part) * reach)
            return [load(`a${i}`, base + distance), load(`b${i}`, base - distance)]
          })
          expect(plan(current(gateways), desired)).toEqual([])
        },
      ),
    )
  })

  it('nothing happens while one drains', () => {
    fc.assert(
      fc.property(
        loads(someLoad),
        someDesired,
        fc.nat(20_000),
        (gateways, desired, connections) => {
          const all = [...gateways, load('leaving', connections, { isDraining: true })]
          expect(plan(current(all), desired)).toEqual([])
        },
      ),
    )
  })

  it.each(['in turn', 'to the emptiest'] as const)(
    'comes to rest within the tolerance, when what was shed arrives %s',
    (ingress) => {
      const rounds = 2_000
      fc.assert(
        fc.property(
          loads(someLoad).filter((list) => list.length > 1),
          someDesired.map((one) => ({ ...one, roundConnections: 100_000 })),
          (start, desired) => {
            const gateways = start.map((one) => ({ ...one, sheds: true, shedAtMs: undefined }))
            let turn = 0
            const arrive = (): void => {
              // In turn, some come back to where they are not wanted.
              const next =
                ingress === 'in turn'
                  ? gateways[turn++ % gateways.length]
                  : gateways.reduce((a, b) => (b.connections < a.connections ? b : a))
              if (next !== undefined) next.connections++
            }
            let left = rounds
            for (; left > 0; left--) {
              const actions = plan(current(gateways), desired)
              if (actions.length === 0) break
              for (const { instance, connections } of actions) {
                const gateway = gateways.find((one) => one.instance === instance)
                if (gateway !== undefined) gateway.connections -= connections
              }
              const moved = actions.reduce((sum, { connections }) => sum + connections, 0)
              for (let i = 0; i < moved; i++) arrive()
            }
            expect(left).toBeGreaterThan(0)
            const mean = meanOf(gateways)
            const most = mean + Math.max(mean * desired.tolerance, desired.toleratedConnections)
            // Less than one connection above the mean can not be moved.
            for (const { connections } of gateways)
              expect(connections).toBeLessThanOrEqual(Math.max(most, mean + 1))
          },
        ),
        { numRuns: 100 },
      )
    },
  )
})
