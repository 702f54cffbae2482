/** A random id for a message. `crypto.randomUUID` exists on https and localhost alone; a plain http origin has only the bytes. */
export function createClientId() {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
