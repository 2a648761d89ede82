// Plain JavaScript that any Node can read: without the install's own Node, this is what the system's Node meets first.
const NEEDED = [22, 18]

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  console.error(
    `This repository runs on Node ${NEEDED.join('.')} or newer and met ${process.version}.\n` +
      'On Linux the install brings its own Node 24: look above for what kept it from that, and run `npx -y pnpm@12 install`.\n' +
      'Elsewhere, install Node 24 (https://nodejs.org) and try again.',
  )
  process.exit(1)
}
