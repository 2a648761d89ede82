import { certify } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-example'

const url = process.env['EXAMPLE_URL'] ?? 'example://127.0.0.1'

certify({
  name: 'example',
  createDriver: (through = url) => createDriver(through),
  // the cases that kill processes, and break connections through a proxy
  remote: { url, module: new URL('../dist/index.js', import.meta.url) },
})
