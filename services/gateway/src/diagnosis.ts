/** The services that say at their metrics port whether they are ready. */
const SERVICES = ['gateway', 'broker', 'presence'] as const
export type ServiceName = (typeof SERVICES)[number]

/** What one replica says of itself. */
export type Health =
  | { readonly is: 'ready' }
  | { readonly is: 'not_ready'; readonly reason: string }
  /** Nobody answers at its address. */
  | { readonly is: 'silent' }

const PLURALS = {
  gateway: 'gateways',
  broker: 'brokers',
  presence: 'replicas of presence',
} as const

/** What a reason of `/readyz` most likely comes from, and where to look, the more telling ones first. */
const CAUSES: readonly (readonly [reason: string, cause: string])[] = [
  [
    'the room log was not reached yet',
    'Redis can not be reached or refuses the password: their log says which',
  ],
  [
    'presence has not told the others of this gateway yet',
    'presence can not be reached or has another internal token: their log says which',
  ],
  [
    'the gateways had no time to report yet',
    'presence has just started: try again in some seconds',
  ],
  ['ending', 'they are being replaced or taken away: try again when that is over'],
]

/**
 * The likely cause of a failure, as one sentence, from what every replica says of itself; undefined when all are ready, so that the cause is
 * another. Who does not run comes before who is not ready for want of somebody else.
 */
export function likelyCause(
  health: Readonly<Record<ServiceName, readonly Health[]>>,
): string | undefined {
  const some = (is: (found: Health) => boolean): string =>
    SERVICES.flatMap((service) => {
      const all = health[service]
      const count = all.filter(is).length
      return count === 0 ? [] : [`${count} of ${all.length} ${PLURALS[service]}`]
    }).join(', ')

  const missing = SERVICES.filter((service) => health[service].length === 0)
  const silent = some(({ is }) => is === 'silent')
  if (silent !== '')
    return `${silent} do not run, for want of a Secret, an image or a right setting: kubectl describe pods and their log say why`
  for (const [known, cause] of CAUSES) {
    const who = some((found) => found.is === 'not_ready' && found.reason === known)
    if (who !== '') return `${who} say “${known}”: ${cause}`
  }
  const other = SERVICES.flatMap((service) => health[service]).find(({ is }) => is === 'not_ready')
  if (other?.is === 'not_ready')
    return `${some(({ is }) => is === 'not_ready')} are not ready: ${other.reason}`
  if (missing.length > 0)
    return `there are no ${missing.map((service) => PLURALS[service]).join(', no ')}: kubectl get pods says what became of them`
  return undefined
}
