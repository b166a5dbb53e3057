import next from "@next/eslint-plugin-next";
import a11y from "eslint-plugin-jsx-a11y-x";
import hooks from "eslint-plugin-react-hooks";
import { defineConfig, globalIgnores } from "eslint/config";
import ts from "typescript-eslint";

/**
 * The plugins of `eslint-config-next`, composed here because that package still depends on two plugins that stop at
 * ESLint 9 (`eslint-plugin-react`, `eslint-plugin-import`). Use it again once they accept ESLint 10.
 */
export default defineConfig(
  globalIgnores([".next/", "node_modules/", "next-env.d.ts", "src/lib/api/schema.d.ts"]),
  {
    files: ["**/*.{ts,tsx}"],
    extends: [
      ts.configs.strictTypeChecked,
      ts.configs.stylisticTypeChecked,
      hooks.configs.flat.recommended,
      next.configs["core-web-vitals"],
      a11y.configs.recommended,
    ],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Next and React require functions that are async, or that return promises which we do not await.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      // A barrel file hides which module needs which.
      "no-restricted-syntax": [
        "error",
        { selector: "ExportAllDeclaration", message: "Import from the module that owns the name: no barrel files." },
      ],
    },
  },
  {
    // Only one module reads the environment; the others get values from it.
    files: ["src/**/*.{ts,tsx}"],
    ignores: ["src/server/environment.ts", "src/instrumentation.ts", "src/server/content-security-policy.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "process", property: "env", message: "Read the environment in src/server/environment.ts only." },
      ],
    },
  },
);
