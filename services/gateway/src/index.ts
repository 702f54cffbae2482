export { gatewaySettings, parseConfig, type Config as GatewayConfig } from './config.ts'
export { startGateway, type Gateway, type GatewayDeps } from './gateway.ts'
