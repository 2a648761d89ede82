import { getContainerRuntimeClient } from 'testcontainers'
import { controlled } from './control.ts'

// Where DOCKER_HOST names an engine, one that does not answer is a failure.
const engine = process.env['DOCKER_HOST'] !== undefined || (await getContainerRuntimeClient().then(Boolean, () => false))

if (engine) {
  controlled('redis', 'container')
  controlled('postgres', 'container')
  controlled('rabbitmq', 'container')
} else {
  describe('brokers in containers', () => {
    it('are controlled (not run: no container engine answers here; brokers/engine-up.sh brings one up on Debian, as root)', function () {
      this.skip()
    })
  })
}
