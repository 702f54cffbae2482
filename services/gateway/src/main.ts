import { runService } from '@roomcast/runtime'
import { startFromEnvironment } from './environment.ts'

await runService('gateway', () => startFromEnvironment(process.env))
