import { defineConfig, type OxlintOverride } from 'oxlint'

/** The only modules of ours that `files` import, and where inversify may not come in. The last entry that fits a file counts. */
function imports(files: string, allowed: string[], forbidden: string[]): OxlintOverride {
  const ours = {
    group: ['@jobport/*', '@jobport/*/*', ...allowed.map((name) => `!${name}`)],
    message:
      allowed.length === 0
        ? 'Core imports no other package of ours.'
        : `Of ours, this file imports ${allowed.join(' and ')} only.`,
  }
  const insides = { group: ['**/src/**', '**/dist/**'], message: 'Other packages are imported by name.' }
  const others = { group: forbidden, message: 'inversify is for inversify.ts, commander for cli.ts.' }
  return {
    files: [files],
    rules: { 'no-restricted-imports': ['error', { patterns: [ours, insides, ...(forbidden.length > 0 ? [others] : [])] }] },
  }
}

const INVERSIFY = ['inversify', './inversify.ts', '../inversify.ts']

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'promise', 'node'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  env: { node: true, es2024: true },
  ignorePatterns: ['**/dist', '.cache', 'templates'],
  rules: {
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'max-depth': ['error', { max: 3 }],
    'max-lines': ['error', { max: 300 }],
    'no-unused-vars': ['error', { argsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    'no-var': 'error',
    'prefer-const': 'error',
    'import/first': 'error',
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-duplicates': 'error',
    'typescript/ban-ts-comment': 'error',
    'typescript/consistent-type-exports': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-import-type-side-effects': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/only-throw-error': ['error', { allowRethrowing: true, allowThrowingUnknown: true }],
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'unicorn/prefer-node-protocol': 'error',

    // what the compiler checks already, and matters of taste
    'consistent-return': 'off',
    'no-shadow': 'off',
    'promise/always-return': 'off',
    'typescript/consistent-return': 'off',
    'typescript/no-unnecessary-type-conversion': 'off',
    'typescript/no-unnecessary-type-parameters': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/no-useless-default-assignment': 'off',
    'typescript/unbound-method': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/no-useless-spread': 'off',
  },
  overrides: [
    {
      files: ['packages/*/src/**'],
      rules: {
        'no-console': 'error',
        'import/no-default-export': 'error',
        'typescript/no-unsafe-argument': 'error',
        'typescript/no-unsafe-assignment': 'error',
        'typescript/no-unsafe-call': 'error',
        'typescript/no-unsafe-member-access': 'error',
        'typescript/no-unsafe-return': 'error',
      },
    },
    { files: ['packages/*/src/**/cli.ts'], rules: { 'no-console': 'off' } },
    { files: ['**/test/**', 'packages/conformance/src/**'], rules: { 'no-unused-expressions': 'off' } },
    imports('packages/core/src/**', [], INVERSIFY),
    imports('packages/core/src/inversify.ts', [], []),
    imports('packages/adapter-*/src/**', ['@jobport/core/driver'], INVERSIFY),
    imports('packages/adapter-*/src/inversify.ts', ['@jobport/core/driver', '@jobport/core/inversify'], []),
    imports('packages/conformance/src/**', ['@jobport/core', '@jobport/core/driver'], [...INVERSIFY, 'commander']),
    imports('packages/conformance/src/**/cli.ts', ['@jobport/core', '@jobport/core/driver'], INVERSIFY),
  ],
})
