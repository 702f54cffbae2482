export { gatewaySettings, parseConfig, type Config as GatewayConfig } from './config.ts'
export { startFromEnvironment } from './environment.ts'
export { startGateway, type Application, type Gateway, type GatewayDeps } from './gateway.ts'
export type { ChatServer } from './sockets.ts'
