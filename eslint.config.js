import js from "@eslint/js";
import globals from "globals";

const rules = {
  curly: ["error", "multi-line"],
  eqeqeq: "error",
  "no-shadow": ["error", { builtinGlobals: false }],
  "no-var": "error",
  "one-var": ["error", "never"],
  "prefer-const": "error",
  "prefer-template": "error",
};

export default [
  { ignores: ["_build/", "assets/", ".venv/"] },
  js.configs.recommended,
  {
    files: ["vaebook/live/js/**/*.js"],
    languageOptions: { globals: globals.browser },
    rules: { ...rules, "max-lines": ["error", 250], complexity: ["error", 12] },
  },
  {
    files: ["_static/*.js", "vaebook/figures/*.js", "assignments/*.js"],
    languageOptions: { globals: globals.browser, sourceType: "script" },
    rules,
  },
];
