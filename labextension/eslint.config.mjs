import js from '@eslint/js';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** Levels of the design, from below: what a file may import is in its own level or below it. */
const levels = [
  ['ids', 'records', 'words', 'icons', 'packages', 'tabs', 'clock'],
  ['tokens', 'errors'],
  ['request'],
  ['manager'],
  ['submit', 'jobs', 'outputs', 'notices'],
  ['commands'],
  ['plugins'],
  ['index']
];

const oneWay = levels.slice(0, -1).map((names, level) => ({
  files: names.flatMap(name => [
    `src/${name}.ts`,
    `src/${name}.tsx`,
    `src/${name}/**`
  ]),
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: levels
          .slice(level + 1)
          .flat()
          .filter(name => name !== 'index')
          .map(name => ({
            regex: `^(\\.\\.?/)+${name}(/|$)`,
            message: `${names.join(', ')} stand below ${name}`
          }))
      }
    ]
  }
}));

export default tseslint.config(
  { ignores: ['dist/', 'lib/', 'node_modules/', 'style/', '*.config.*'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  a11y.flatConfigs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname
      }
    },
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 90, skipComments: true }],
      'max-params': ['error', { max: 6 }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/explicit-function-return-type': [
        'error',
        { allowExpressions: true }
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true }
      ],
      // a signal's handler or a method without a state of its own is no fault
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true }
      ]
    }
  },
  ...oneWay
);
