"""How a page looks: light and dark by the reader's setting, and on paper. Nothing is loaded from anywhere."""

from __future__ import annotations

# The colours of outcomes (Okabe and Ito) are told apart by colour-blind readers as well, and are never alone.
CSS = """
:root { color-scheme: light dark;
  --page: #f6f5f1; --card: #fffefb; --ink: #1d2330; --soft: #626a7a; --line: #e2dfd6; --track: #eceae3;
  --ok: #0b8f6a; --missing: #e0a100; --failed: #d0521b; --rejected: #b05c98; --skipped: #a3a9b5; --link: #0a5fa8; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14171d; --card: #1c2028; --ink: #e9e7e1; --soft: #9aa3b2; --line: #2e3440; --track: #2a2f3a;
  --ok: #2fbf94; --missing: #e9b93a; --failed: #ee7c49; --rejected: #d28abf; --skipped: #6b7382; --link: #7ab8ef; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3rem; }
a { color: var(--link); }
h1 { font-size: 2.6rem; line-height: 1.1; letter-spacing: -.02em; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; letter-spacing: -.01em; }
h3 { font-size: .95rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .3rem 0; }
.soft, figcaption, caption { color: var(--soft); }
.lead { font-size: 1.1rem; color: var(--soft); margin: .5rem 0 0; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.4rem 1.5rem;
  margin: 1.2rem 0; }
section > p:first-of-type { margin-bottom: 1rem; }
.share { display: flex; align-items: baseline; gap: .8rem; flex-wrap: wrap; margin-bottom: .8rem; }
.share strong { font-size: 3.6rem; line-height: 1; letter-spacing: -.03em; font-weight: 700; }
.bar { display: flex; gap: 2px; height: .8rem; border-radius: 999px; overflow: hidden; background: var(--track); }
.bar.tall { height: 1.4rem; }
.bar i { display: block; min-width: 2px; }
.ok { background: var(--ok); } .missing { background: var(--missing); } .failed { background: var(--failed); }
.rejected { background: var(--rejected); } .skipped { background: var(--skipped); }
ul.key { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0 0; padding: 0; }
ul.key b { font-variant-numeric: tabular-nums; font-size: 1.15rem; }
ul.key i, td i.dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 3px; margin-right: .5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, auto));
  gap: .8rem 1.5rem; margin: 1.2rem 0 0; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .38rem .7rem .38rem 0; border-bottom: 1px solid var(--line);
  vertical-align: middle; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 7.5rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.n + td:not(.n), .n + th:not(.n) { padding-left: 1.4rem; }
td.wide { width: 42%; min-width: 9rem; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(18.5rem, 1fr)); gap: 1.6rem 1.4rem; }
.sheet p { font-size: .85rem; margin: 0 0 .5rem; }
.row { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; }
.row img, .turned img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 7px;
  background: var(--track); }
.turned { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { font-size: .82rem; margin-top: .3rem; }
.turned img { object-fit: contain; }
.turned pre { margin: 0; aspect-ratio: 1; overflow: hidden; border-radius: 7px;
  background: var(--track); padding: .5rem;
  font: .66rem/1.35 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; margin-bottom: .9rem; }
svg .ok { fill: var(--ok); } svg .missing { fill: var(--missing); } svg .failed { fill: var(--failed); }
svg .rejected { fill: var(--rejected); } svg .skipped { fill: var(--skipped); }
svg .track { fill: var(--track); }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--soft); }
footer { color: var(--soft); font-size: .85rem; padding-bottom: 3rem; }
@media (max-width: 40rem) { h1 { font-size: 2rem; } .share strong { font-size: 2.8rem; } header { padding-top: 1.5rem; }
  td.wide { min-width: 6rem; } }
@media print { :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --track: #eee;
    --ok: #0b8f6a; --missing: #e0a100; --failed: #d0521b; --rejected: #b05c98; --skipped: #a3a9b5; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11px; } header { padding-top: 0; }
  section { padding: .8rem 0; border-width: 1px 0 0; border-radius: 0; }
  section, tr, figure, .sheet > article { break-inside: avoid; } section.long { break-inside: auto; }
  .scroll { overflow: visible; } }
"""
