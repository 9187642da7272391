// Opens a page of the site as a file, searches it, and follows the first answer.
//
//     node search.mjs PAGE.html WORDS
//
// Prints one JSON object: `faults` (none of a sound site), how many pages were found, and where the first one leads.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, words] = process.argv.slice(2);
const faults = [];
const browser = await chromium.launch({
  executablePath: process.env.ENFORMER_RAY_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
let found = 0;
let first = "";
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) faults.push(`asked for ${request.url()}`);
  });
  await page.goto(pathToFileURL(resolve(file)).href);
  const field = page.locator("input.md-search__input");
  await field.click();
  await field.pressSequentially(words);
  const answers = page.locator("a.md-search-result__link");
  await answers.first().waitFor({ timeout: 60_000 });
  found = await answers.count();
  await answers.first().click();
  await page.waitForURL((url) => !url.href.includes("index.html"), { timeout: 60_000 });
  first = page.url().split("/").at(-1);
} catch (error) {
  faults.push(error.message);
} finally {
  await browser.close().catch((error) => console.error(`the browser was not closed: ${error.message}`));
}
console.log(JSON.stringify({ faults, found, first }));
process.exit(faults.length ? 1 : 0);
