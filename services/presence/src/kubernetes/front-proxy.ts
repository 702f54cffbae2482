import { readFile } from 'node:fs/promises'
import type { TLSSocket } from 'node:tls'
import { z } from 'zod'
import type { KubernetesApi } from './api.ts'

/** Where every cluster says by which certificates its API server is known when it passes requests on. */
const NAMESPACE = 'kube-system'
const CONFIG_MAP = 'extension-apiserver-authentication'

/** By which client certificates the API server is known. */
export interface FrontProxy {
  /** PEM. */
  readonly ca: string
  /** Common names of which a certificate has to have one; empty: any that the CA signed. */
  readonly names: readonly string[]
}

/** Reads it from a file, which holds the CA alone, or from the cluster. */
export async function readFrontProxy(
  source: { readonly caFile: string } | { readonly api: Pick<KubernetesApi, 'readConfigMap'> },
): Promise<FrontProxy> {
  if ('caFile' in source) return { ca: await readFile(source.caFile, 'utf8'), names: [] }
  const { data, error } = FrontProxyConfigMap.safeParse(
    await source.api.readConfigMap(NAMESPACE, CONFIG_MAP),
  )
  if (data === undefined) {
    throw new Error(`the ConfigMap ${NAMESPACE}/${CONFIG_MAP} names no front proxy`, {
      cause: error,
    })
  }
  return data
}

/** Whether a connection's certificate is the API server's. That the CA signed it was checked when the connection was made. */
export function isFrontProxy({ names }: FrontProxy, socket: TLSSocket): boolean {
  if (!socket.authorized) return false
  // Empty when the peer sent none, whatever its type says.
  const subject = socket.getPeerCertificate().subject as { CN?: string | string[] } | undefined
  const name = subject?.CN
  return names.length === 0 || (typeof name === 'string' && names.includes(name))
}

const FrontProxyConfigMap = z
  .object({
    'requestheader-client-ca-file': z.string().min(1),
    'requestheader-allowed-names': z.string().default('[]'),
  })
  .transform((data, context): FrontProxy => {
    try {
      const names = z.array(z.string()).parse(JSON.parse(data['requestheader-allowed-names']))
      return { ca: data['requestheader-client-ca-file'], names }
    } catch {
      context.addIssue({ code: 'custom', message: 'requestheader-allowed-names is no list' })
      return z.NEVER
    }
  })
