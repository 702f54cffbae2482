import type { SettingsShape } from '@roomcast/runtime'
import { ownSettings, settingsTable } from './settings-table.ts'

export interface ServiceSettings {
  /** The name of its folder in services/. */
  readonly name: string
  /** One sentence. */
  readonly does: string
  readonly settings: SettingsShape
}

/** docs/config.md: every environment variable of every service, in Markdown that is not yet formatted. */
export function configPage(common: SettingsShape, services: readonly ServiceSettings[]): string {
  return [
    '<!-- Generated from services/*/src/config.ts by `npm run docs:generate`: change it there. -->',
    '# Settings',
    'Services are configured by environment variables alone. A service reads its own at its start, reports every fault of them at once by name, and then ends with status 78. An empty value counts as not set. Names that end in `_MS` are in milliseconds, those that end in `_BYTES` in bytes. A secret is never logged.',
    '## Every service',
    settingsTable(common),
    ...services.flatMap(({ name, does, settings }) => [
      `## ${name}`,
      `${does} By itself, after \`npm run build\`:`,
      `\`\`\`sh\nnode --import @roomcast/runtime/instrument services/${name}/dist/main.js\n\`\`\``,
      settingsTable(ownSettings(settings, common)),
    ]),
  ].join('\n\n')
}
