import type { IncomingMessage, ServerResponse } from 'node:http'
import { createNoopMeter, type Meter, type Tracer } from '@opentelemetry/api'
import type { TraceConfig } from './trace-config.ts'

/** The instruments of one service, what scrapes them, and what makes its spans. */
export interface Telemetry {
  readonly meter: Meter
  /** Undefined while tracing is off: what is not traced then costs the look at it. */
  readonly tracer?: Tracer | undefined
  /** Answers a scrape in Prometheus text form; without an SDK with 503 and what is missing. */
  scrape(req: IncomingMessage, res: ServerResponse): void
  close(): Promise<void>
}

export type StartTelemetry = (service: string, version: string, traces?: TraceConfig) => Telemetry

const MISSING =
  'nothing is measured: this process was started without `node --import @roomcast/runtime/instrument`\n'

const UNMEASURED: Telemetry = {
  meter: createNoopMeter(),
  scrape: (_req, res) => void res.writeHead(503, { 'content-type': 'text/plain' }).end(MISSING),
  close: async () => undefined,
}

/** State of the process, as OpenTelemetry's own registry is: what is loaded before the program has no other way to hand it something. */
let sdk: StartTelemetry | undefined

/** From now on services measure by this SDK: see instrument.ts. */
export function useSdk(start: StartTelemetry): void {
  sdk = start
}

/** Whether the process was started with an SDK. */
export function isMeasured(): boolean {
  return sdk !== undefined
}

/**
 * The telemetry of a service. Each has its own, so that several in one process (`npm start`) do not mix their figures. Without an SDK
 * its instruments take what they are given and forget it.
 */
export const startTelemetry: StartTelemetry = (service, version, traces) =>
  sdk?.(service, version, traces) ?? UNMEASURED
