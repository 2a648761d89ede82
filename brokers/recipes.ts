import type { BrokerName } from './broker.ts'
import { postgres } from './postgres.ts'
import { rabbitmq } from './rabbitmq.ts'
import type { Recipe } from './recipe.ts'
import { redis } from './redis.ts'

export const recipes: Readonly<Record<BrokerName, Recipe>> = { redis, postgres, rabbitmq }

export function isBrokerName(name: string): name is BrokerName {
  return Object.hasOwn(recipes, name)
}
