// Opens a page that must need nothing else, as a phone, a desk, a dark room and a printer have it, and says what is amiss.
//
//     node look.mjs PAGE.html [FOLDER for screenshots]
//
// Prints one JSON object: `faults` (none of a sound page), seconds until it was drawn, of each view on the clock and of
// the page's own thread (all of it, and what scripts, styles and layout took), the page's bytes, and the CPU seconds of
// the whole browser. Knows no report: what any page of this program must be.

import { mkdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const MOST_BYTES = 5e6;
const GRAVE = new Set(["serious", "critical"]);
const PHONE = { width: 390, height: 844 };
const NARROW = { width: 360, height: 740 };
const DESK = { width: 1280, height: 900 };
const VIEWS = [
  { name: "phone-light", size: PHONE, colours: "light" },
  { name: "phone-dark", size: PHONE, colours: "dark" },
  { name: "narrow-light", size: NARROW, colours: "light", isJudged: false },
  { name: "desk-light", size: DESK, colours: "light" },
  { name: "desk-dark", size: DESK, colours: "dark" },
  { name: "print", size: DESK, colours: "light", media: "print" },
];

const [file, folder] = process.argv.slice(2);
const address = pathToFileURL(resolve(file)).href;
const faults = [];
const seconds = {};
const cpuSeconds = {};

// its profile is a folder that the driver makes and removes itself
const browser = await chromium.launch({
  executablePath: process.env.ENFORMER_RAY_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const context = await browser.newContext();

// the page's own time until all is drawn: what the browser's start takes is not its fault
const drawn = async (page) => {
  await page.waitForFunction(
    () =>
      document.readyState === "complete" &&
      (!document.querySelector("figure.picture") || document.documentElement.classList.contains("all-drawn")),
    null,
    { timeout: 60_000 },
  );
  return page.evaluate(() => performance.now() / 1000);
};

const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

// paper cannot be scrolled: what is higher than its box is lost, or lies on what stands below
const cut = (page) =>
  page.evaluate(
    () =>
      [...document.querySelectorAll(".scrolled, pre")].filter((box) => box.scrollHeight > box.clientHeight + 1).length,
  );

const judged = async (page, name) => {
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  for (const each of violations.filter(({ impact }) => GRAVE.has(impact))) {
    const where = each.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`);
    faults.push(`${name}: axe: ${each.id} (${each.impact}): ${each.help}: ${where.join(" | ")}`);
  }
};

const MEASURED = { task: "TaskDuration", script: "ScriptDuration", style: "RecalcStyleDuration", layout: "LayoutDuration" };

const looked = async ({ name, size, colours, media = "screen", isJudged = media === "screen" }) => {
  const page = await context.newPage();
  page.on("console", (said) => {
    if (said.type() === "error") faults.push(`${name}: console: ${said.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`${name}: error: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`${name}: dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (request.url() !== address) faults.push(`${name}: asked for ${request.url().slice(0, 200)}`);
  });
  // of the page's own thread: how busy the machine is beside it counts for nothing
  const measured = await context.newCDPSession(page);
  await measured.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.setViewportSize(size);
  const medium = { media, colorScheme: colours, reducedMotion: "reduce" };
  await page.emulateMedia(medium);
  await page.goto(address, { waitUntil: "load" });
  // beside a session that measures, the browser forgets the medium when it opens the page
  await page.emulateMedia(medium);
  seconds[name] = await drawn(page);
  const { metrics } = await measured.send("Performance.getMetrics");
  const valueOf = (wanted) => metrics.find((each) => each.name === wanted).value;
  cpuSeconds[name] = Object.fromEntries(Object.entries(MEASURED).map(([what, wanted]) => [what, valueOf(wanted)]));
  const wider = await overflow(page);
  if (wider > 0 && media === "screen") faults.push(`${name}: the page is ${wider} px wider than its window`);
  if (isJudged) await judged(page, name);
  if (media === "print" && (await cut(page))) faults.push(`${name}: ${await cut(page)} boxes are cut on paper`);
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  if (folder && media === "print") await page.pdf({ path: join(folder, `${name}.pdf`), format: "A4" });
  await page.close();
};

// sorting and filtering by keys alone
const used = async () => {
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`keys: error: ${error.message}`));
  await page.setViewportSize(DESK);
  await page.goto(address);
  const table = page.locator("table.sorted:has(th.number):has(tbody tr:nth-child(2))").first();
  if ((await table.count()) === 0) return;
  const head = table.locator("th.number").first();
  for (const order of ["descending", "ascending"]) {
    await head.locator("button").focus();
    await page.keyboard.press("Enter");
    const found = await head.getAttribute("aria-sort");
    if (found !== order) faults.push(`keys: aria-sort is ${found}, not ${order}`);
    const place = await head.evaluate((cell) => cell.cellIndex);
    const cells = table.locator(`tbody tr td:nth-child(${place + 1})`);
    const values = await cells.evaluateAll((all) => all.map((cell) => cell.dataset.sort));
    const numbers = values.filter((value) => value !== "").map(Number);
    const sign = order === "descending" ? -1 : 1;
    const sorted = [...numbers].sort((one, two) => sign * (one - two));
    if (numbers.join() !== sorted.join()) faults.push(`keys: rows are not ${order}`);
  }
  const field = page.locator(".filter input").first();
  if (await field.count()) {
    await field.focus();
    await page.keyboard.type("no row has this");
    const said = await page.locator(".filter output").first().textContent();
    if (!said.startsWith("0 of ")) faults.push(`keys: the filter says ${said}`);
  }
  await page.close();
};

const browserSeconds = async () => {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
};

const { size: bytes } = await stat(file);
if (bytes > MOST_BYTES) faults.push(`${bytes} bytes, more than ${MOST_BYTES}`);
if (folder) await mkdir(folder, { recursive: true });
let browserCpu;
try {
  for (const view of VIEWS) await looked(view);
  await used();
  browserCpu = await browserSeconds();
} finally {
  // what hinders its end must not hide what went wrong before
  await browser.close().catch((error) => console.error(`the browser was not closed: ${error.message}`));
}
console.log(JSON.stringify({ faults, seconds, cpu_seconds: cpuSeconds, browser_cpu_seconds: browserCpu, bytes }));
process.exit(faults.length ? 1 : 0);
