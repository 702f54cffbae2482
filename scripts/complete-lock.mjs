// Adds to package-lock.json the optional packages of other platforms that npm left out: node scripts/complete-lock.mjs, in the root.
import fs from 'node:fs'
const file = 'package-lock.json'
const lock = JSON.parse(fs.readFileSync(file, 'utf8'))
const has = (key) => Object.hasOwn(lock.packages, key)
const CPUS = ['arm64', 'ppc64', 's390x', 'riscv64', 'loong64', 'mips64el', 'ia32', 'x64', 'arm']
const OSES = [
  'android',
  'darwin',
  'freebsd',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'aix',
  'win32',
  'linux',
]
for (const [where, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (where === '' || has(`node_modules/${name}`) || has(`${where}/node_modules/${name}`))
      continue
    const os = OSES.find((os) => name.includes(os))
    const cpu = CPUS.find((cpu) => name.includes(cpu))
    if (!os || !cpu || !/^\d/.test(version))
      throw new Error(`${name}@${version}: of which platform?`)
    const libc = os === 'linux' ? { libc: [name.includes('musl') ? 'musl' : 'glibc'] } : {}
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(dev ? { dev } : {}),
      ...libc,
      optional: true,
      os: [os],
    }
    console.log(name)
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
)
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
