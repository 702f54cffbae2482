/**
 * Sets up OpenTelemetry before a program begins: `node --import @roomcast/runtime/instrument services/gateway/dist/main.js`. The
 * services' own code knows OpenTelemetry's API alone.
 */
import { startSdk } from './sdk.ts'
import { useSdk } from './telemetry.ts'

useSdk(startSdk)
