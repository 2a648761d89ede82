import { backoff } from './backoff.ts'
import { badNames } from './bad-names.ts'
import { badOptions } from './bad-options.ts'
import { badPayloads } from './bad-payloads.ts'
import { brokerFaults } from './broker-faults.ts'
import { concurrency } from './concurrency.ts'
import { crashes } from './crashes.ts'
import { deadLetters } from './dead-letters.ts'
import { delay } from './delay.ts'
import { disposal } from './disposal.ts'
import { due } from './due.ts'
import { events } from './events.ts'
import { exits } from './exits.ts'
import { generated } from './generated.ts'
import { identity } from './identity.ts'
import { lifecycle } from './lifecycle.ts'
import { lives } from './lives.ts'
import { networkFaults } from './network-faults.ts'
import { ordering } from './ordering.ts'
import { overload } from './overload.ts'
import { processFaults } from './process-faults.ts'
import { redrive } from './redrive.ts'
import { redriven } from './redriven.ts'
import { refusals } from './refusals.ts'
import { retry } from './retry.ts'
import { scale } from './scale.ts'
import { secrets } from './secrets.ts'
import { shutdown } from './shutdown.ts'
import { surroundings } from './surroundings.ts'
import { timeouts } from './timeouts.ts'
import { upkeep } from './upkeep.ts'
import type { Chapter } from '../case.ts'

export const chapters: readonly Chapter[] = [
  { number: 1, title: 'lifecycle', cases: [...lifecycle, ...upkeep, ...surroundings, ...events] },
  { number: 2, title: 'retry and crashes', cases: [...retry, ...timeouts, ...backoff, ...crashes] },
  { number: 3, title: 'delay', cases: [...delay, ...due] },
  { number: 4, title: 'identity', cases: [...identity, ...lives] },
  { number: 5, title: 'dead letters', cases: [...deadLetters, ...redrive, ...redriven] },
  { number: 6, title: 'concurrency', cases: concurrency },
  { number: 7, title: 'ordering', cases: ordering },
  { number: 8, title: 'shutdown', cases: [...shutdown, ...exits, ...disposal] },
  { number: 9, title: 'faults', cases: [...brokerFaults, ...networkFaults, ...processFaults, ...secrets, ...overload] },
  { number: 10, title: 'bad input', cases: [...badNames, ...badPayloads, ...badOptions] },
  { number: 11, title: 'scale', cases: scale },
  { number: 12, title: 'settlements', cases: [...generated, ...refusals] },
]
