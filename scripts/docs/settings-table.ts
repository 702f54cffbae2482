import { isSecret, type SettingsShape } from '@roomcast/runtime'
import { z } from 'zod'

type Setting = SettingsShape[string]

/**
 * What a setting says about itself. Zod keeps descriptions by schema object, so that one given before `default` or
 * `optional` is found on what these wrap; the outermost counts.
 */
export function meaning(setting: Setting): string | undefined {
  for (let type: z.ZodType | undefined = setting; type !== undefined; type = wrapped(type)) {
    if (type.description !== undefined) return type.description
  }
  return undefined
}

/** What counts when the variable is not set: a value, nothing, or that it is required. */
export function fallback(setting: Setting): string {
  for (let type: z.ZodType | undefined = setting; type !== undefined; type = wrapped(type)) {
    if (type instanceof z.ZodDefault) {
      const value = type.def.defaultValue
      const text = Array.isArray(value) ? value.join(',') : String(value)
      return text === '' ? 'empty' : `\`${text}\``
    }
    if (type instanceof z.ZodOptional) return 'not set'
  }
  return 'required'
}

function wrapped(type: z.ZodType): z.ZodType | undefined {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) {
    return type.unwrap() as z.ZodType
  }
  return type instanceof z.ZodPipe ? (type.in as z.ZodType) : undefined
}

/** The settings that are a service's own: those that are not, as they stand, among the common ones. */
export function ownSettings(shape: SettingsShape, common: SettingsShape): SettingsShape {
  return Object.fromEntries(Object.entries(shape).filter(([name, type]) => common[name] !== type))
}

/** A Markdown table with one line for each setting. Throws when one does not say what it means. */
export function settingsTable(shape: SettingsShape): string {
  const lines = Object.entries(shape).map(([name, setting]) => {
    const text = meaning(setting)
    if (text === undefined) throw new Error(`the setting ${name} has no description`)
    return row(`\`${name}\``, fallback(setting), `${text}${isSecret(setting) ? ' Secret.' : ''}`)
  })
  return [row('Variable', 'Default', 'Meaning'), row('---', '---', '---'), ...lines].join('\n')
}

function row(...cells: readonly string[]): string {
  const text = cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' '))
  return `| ${text.join(' | ')} |`
}
