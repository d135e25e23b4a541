// Asks the validators of dvb-i-tools, which are not part of this repository: `node validate.mjs TOOLS QUESTIONS`.
// QUESTIONS: a file with a JSON list of [kind, document]; kind is "ServiceList", or a request of the content guide by
// its name there. Standard output: for each document a list of its findings. What the tools print goes to standard
// error.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);
const home = process.argv[2];
const questions = JSON.parse(readFileSync(process.argv[3], "utf8"));
process.chdir(home);
const load = (path) => import(pathToFileURL(`${home}/${path}`).href);
const { xmlRegisterFsInputProviders } = await load("node_modules/libxml2-wasm/lib/nodejs.mjs");
xmlRegisterFsInputProviders();
await load("libxml2-wasm-extensions.mjs");
const { default: ErrorList } = await load("lib/error_list.mjs");
const { default: ContentGuideCheck } = await load("lib/cg_check.mjs");
const { default: ServiceListCheck } = await load("lib/sl_check.mjs");
const options = { useURLs: false, async: false };
const guides = new ContentGuideCheck(options);
const lists = new ServiceListCheck(options);

const findings = questions.map(([kind, document]) => {
  const found = new ErrorList();
  if (kind === "ServiceList") lists.doValidateServiceList(document, found, { report_schema_version: false });
  else guides.doValidateContentGuide(document, kind, found, { report_schema_version: false });
  const told = [...found.errors, ...found.warnings, ...found.informationals];
  return told.map((one) => `${one.code} ${one.message} (line ${one.line}: ${String(one.element ?? "").trim()})`);
});
answer(JSON.stringify(findings));
