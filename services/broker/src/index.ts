export { startBroker, type Broker } from './broker.ts'
export { brokerSettings, parseConfig, type Config } from './config.ts'
