import { accessSync, constants } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { startProcess, until } from './processes.ts'
import { freePort } from './redis.ts'

/** One request as nginx logged it: a websocket when it has ended. */
export interface LoggedRequest {
  readonly client: string
  /** `host:port` of each gateway that was tried, in order. */
  readonly upstreams: readonly string[]
  readonly status: number
  readonly request: string
}

export interface TestNginx extends AsyncDisposable {
  readonly url: string
  /** `host:port` of the gateway to which requests of this client address go now. */
  upstreamOf(client: string): Promise<string>
  /** The requests that have ended so far. */
  requests(): Promise<LoggedRequest[]>
}

interface Settings {
  readonly dir: string
  readonly port: number
  /** `host:port` of each gateway. */
  readonly upstreams: readonly string[]
  readonly balance: Balance
}

/**
 * How nginx chooses a gateway: by the client's address; each in turn, which knows nothing of sessions; or by a cookie, which it gives to
 * who has none, as an Ingress with affinity does.
 */
export type Balance = 'ip_hash' | 'round_robin' | 'cookie'

/** The cookie of `cookie`; its value is the `host:port` of a gateway. */
export const NGINX_COOKIE = 'roomcast'

/**
 * What an operator writes to put nginx in front of gateways. The parts that belong to the test are said to; the rest is what is
 * needed, and why.
 */
const configuration = ({ dir, port, upstreams, balance }: Settings): string => `
# The test's own: everything below a folder of its own, one process that does not go to the background, no change of user.
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr notice;

events {
  worker_connections 1024;
}

http {
  # The test's own.
  client_body_temp_path ${dir}/client_body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  log_format requests '$remote_addr|$upstream_addr|$status|$request';
  access_log ${dir}/access.log requests;

  # The test's clients are on one machine and tell their address, as a load balancer in front of nginx would.
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;

  # A long-polling or websocket connection has to reach the gateway that has its session, each time: the address decides, by its
  # first three numbers. When that gateway is down its clients go to another one.
  upstream gateways {
    ${balance === 'ip_hash' ? 'ip_hash;' : ''}
${upstreams.map((upstream) => `    server ${upstream} max_fails=1 fail_timeout=5s;`).join('\n')}
  }

  # Polling requests leave the connection as it is, websockets ask for the upgrade.
  map $http_upgrade $connection_upgrade {
    default upgrade;
    '' '';
  }

${balance === 'cookie' ? cookieMaps(upstreams) : ''}
  server {
    listen 127.0.0.1:${port};

    location / {
      proxy_pass http://${balance === 'cookie' ? '$pinned_gateway' : 'gateways'};
      ${balance === 'cookie' ? 'add_header Set-Cookie $new_cookie;' : ''}
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;

      # A gateway that can not be reached, or answers 503 because it is about to end, is not the client's trouble.
      proxy_next_upstream error timeout http_503;
      proxy_connect_timeout 2s;
      # Longer than the gateways' ping interval, or quiet connections would be cut.
      proxy_read_timeout 60s;
      # Messages are small and due at once.
      proxy_buffering off;

      # The test's own.
      add_header X-Upstream $upstream_addr always;
    }
  }
}
`

const cookieMaps = (upstreams: readonly string[]): string => `
  map $cookie_${NGINX_COOKIE} $pinned_gateway {
    default gateways;
${upstreams.map((upstream) => `    ${upstream} ${upstream};`).join('\n')}
  }
  map $cookie_${NGINX_COOKIE} $new_cookie {
    default '';
    '' '${NGINX_COOKIE}=$upstream_addr; Path=/';
  }
`

/** A real nginx in front of gateways. Resolves when it passes requests on. */
export async function startNginx(
  upstreams: readonly string[],
  balance: Balance = 'ip_hash',
  /** A free one unless given. */
  fixedPort?: number,
): Promise<TestNginx> {
  const dir = await mkdtemp(join(tmpdir(), 'roomcast-nginx-'))
  const port = fixedPort ?? (await freePort())
  const file = join(dir, 'nginx.conf')
  await writeFile(file, configuration({ dir, port, upstreams, balance }))
  const nginx = startProcess(nginxPath(), ['-p', dir, '-c', file])
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await nginx[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  }

  const upstreamOf = async (client: string): Promise<string> => {
    const response = await fetch(`${url}/static/chat/favicon.svg`, {
      headers: { 'x-forwarded-for': client },
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`nginx answered ${response.status}`)
    // After a failure the list has every gateway that was tried; the last one answered.
    return response.headers.get('x-upstream')?.split(', ').at(-1) ?? ''
  }

  try {
    await until('an nginx that passes requests on', async () => {
      if (nginx.child.exitCode !== null) throw new Error(`nginx ended:\n${nginx.output()}`)
      // Without the header it is another server that has the port.
      return (await upstreamOf('192.0.2.1').catch(() => '')) !== ''
    })
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url,
    upstreamOf,
    async requests() {
      const lines = (await readFile(join(dir, 'access.log'), 'utf8')).trim().split('\n')
      return lines.map((line) => {
        const [client = '', upstream = '', status = '', request = ''] = line.split('|')
        return { client, upstreams: upstream.split(', '), status: Number(status), request }
      })
    },
    [Symbol.asyncDispose]: stop,
  }
}

/** The nginx of the path, or of where Debian puts daemons, which is not on everybody's path. */
function nginxPath(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin']
  const found = folders.map((folder) => join(folder, 'nginx')).find(isProgram)
  if (found === undefined) throw new Error('nginx is not on the PATH')
  return found
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    // Absent, or not for us to run.
    return false
  }
}
