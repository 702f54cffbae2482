/** @type {import('jest').Config} */
const common = {
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, sourceMaps: 'inline' },
    ],
  },
  // Workspaces resolve to their sources: no build comes before a test.
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  testEnvironment: 'node',
  modulePathIgnorePatterns: ['/dist/'],
}

const project = (name, testMatch) => ({ ...common, displayName: name, testMatch })

export default {
  projects: [
    project('unit', [
      '<rootDir>/services/*/test/**/*.test.ts',
      '<rootDir>/scripts/test/**/*.test.ts',
    ]),
    project('integration', ['<rootDir>/test/integration/**/*.test.ts']),
    project('process', ['<rootDir>/test/process/**/*.test.ts']),
    project('browser', ['<rootDir>/test/browser/**/*.test.ts']),
    project('chart', ['<rootDir>/test/chart/**/*.test.ts']),
    // Needs a cluster: `npm run test:e2e`, and no part of `npm test`.
    project('e2e', ['<rootDir>/test/e2e/**/*.test.ts']),
  ],
  testTimeout: 30_000,
  coverageProvider: 'v8',
}
