/**
 * Sets up OpenTelemetry before a program begins: `node --import @roomcast/runtime/instrument services/gateway/dist/main.js`. The
 * services' own code knows OpenTelemetry's API alone.
 */
import { startSdk } from './sdk.ts'
import { useSdk } from './telemetry.ts'

/** Traces take 5 MB, so they are loaded only where they are asked for. What the variable says is for the service to read. */
const traces = process.env['OTLP_TRACES_URL'] ? await import('./trace-sdk.ts') : undefined

useSdk((service, version, config) => startSdk(service, version, config, traces?.startTraces))
