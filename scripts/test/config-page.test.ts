import { describe, expect, it } from '@jest/globals'
import { count, flag, port, secretString } from '@roomcast/runtime'
import { z } from 'zod'
import { configPage } from '../docs/config-page.ts'
import { settingsTable } from '../docs/settings-table.ts'

const common = { HOST: z.string().default('0.0.0.0').describe('Address to listen on.') }

describe('the table of settings', () => {
  it('shows default, need and secrecy, however a description is wrapped', () => {
    const shape = {
      A: count(5, 1, 9).describe('After the default.'),
      B: z.string().describe('Before the default: a|b.').default(''),
      C: secretString().describe('A key.').optional(),
      D: z.string().describe('Something.'),
      E: flag(true).describe('A flag.'),
    }
    expect(settingsTable(shape).split('\n').slice(2)).toEqual([
      '| `A` | `5` | After the default. |',
      '| `B` | empty | Before the default: a\\|b. |',
      '| `C` | not set | A key. Secret. |',
      '| `D` | required | Something. |',
      '| `E` | `true` | A flag. |',
    ])
  })

  it('refuses a setting without a meaning', () => {
    expect(() => settingsTable({ A: z.string() })).toThrow('the setting A has no description')
  })
})

describe('the page of settings', () => {
  const settings = { ...common, PORT: port(8080).describe('Port.') }
  const page = configPage(common, [{ name: 'gateway', does: 'Serves.', settings }])

  it('names what all services share once', () => {
    expect(page.match(/`HOST`/g)).toHaveLength(1)
  })

  it('has a section and the command of each service', () => {
    expect(page).toMatch(
      /## gateway\n[^]*node --import @roomcast\/runtime\/instrument services\/gateway\/dist\/main\.js[^]*\| `PORT` \| `8080` \| Port\. \|/,
    )
  })
})
