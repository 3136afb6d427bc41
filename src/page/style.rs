//! The one stylesheet. Its hash is in the content security policy, so no other style is applied.

/// Contrast is WCAG AA in light and dark mode. Sizes are relative, so that a page can be enlarged
/// to 200 %. In the source a rule may take several lines; the browser gets it on one.
pub(super) const STYLE: &str = "\
:root{\
    --ground:#f6f7f9;--card:#fff;--text:#1b1f24;--quiet:#57606a;--line:#d0d7de;--link:#0757b8;\
    --go:#176f2c;--stop:#b3202c;--wait:#7a4b00;--on:#fff\
}\
@media(prefers-color-scheme:dark){\
    :root{\
        --ground:#0d1117;--card:#161b22;--text:#e6edf3;--quiet:#9aa4af;--line:#3a424c;\
        --link:#6cb0ff;--go:#238636;--stop:#c9353f;--wait:#f0b429;--on:#fff\
    }\
}\
*{box-sizing:border-box}\
body{\
    margin:0;background:var(--ground);color:var(--text);\
    font:1rem/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;overflow-wrap:anywhere\
}\
main,footer{max-width:60rem;margin:0 auto;padding:1rem}\
footer{color:var(--quiet);font-size:.875rem}\
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 1rem}\
h2{font-size:1.15rem;margin:1.5rem 0 .5rem}\
section>:first-child,article>:first-child{margin-top:0}\
section>:last-child,article>:last-child{margin-bottom:0}\
p{margin:.5rem 0}\
a{color:var(--link)}\
section,article{\
    background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;\
    margin:0 0 1rem\
}\
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em}\
dl{display:grid;grid-template-columns:minmax(0,1fr);gap:.15rem .75rem;margin:0}\
dt{color:var(--quiet);font-size:.9rem}\
dd{margin:0 0 .5rem}\
@media(min-width:40rem){\
    dl{grid-template-columns:minmax(7rem,max-content) minmax(0,1fr);align-items:baseline}\
    dd{margin:0}\
}\
ul{margin:.25rem 0;padding-left:1.25rem}\
table{width:100%;border-collapse:collapse;font-size:.95rem}\
caption{text-align:left;color:var(--quiet);padding-bottom:.25rem}\
th,td{\
    text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;\
    border-top:1px solid var(--line)\
}\
thead th{border-top:0;color:var(--quiet);font-weight:600}\
thead th,time{white-space:nowrap}\
tbody th{min-width:8rem}\
@media(min-width:56rem){\
    .stack td{min-width:6.5rem}\
    td[data-label=By]{min-width:11rem}\
    td[data-label=Pending]{width:38%}\
}\
.state{overflow-wrap:normal}\
td p{margin:0 0 .25rem}\
@media(max-width:56rem){\
    .stack thead{position:absolute;left:-100vw}\
    .stack tr,.stack th,.stack td{display:block;border:0;padding:.1rem 0}\
    .stack tr{border-top:1px solid var(--line);padding:.6rem 0}\
    .stack td[data-label]::before{content:attr(data-label) ': ';color:var(--quiet)}\
}\
nav{margin:0 0 .5rem}\
h3{font-size:1rem;margin:1rem 0 .25rem}\
.state{\
    display:inline-block;font-weight:600;border:1px solid currentColor;border-radius:1rem;\
    padding:0 .6rem\
}\
.go{color:var(--go)}\
.stop{color:var(--stop)}\
.wait{color:var(--wait)}\
@media(prefers-color-scheme:dark){.go{color:#56d364}.stop{color:#ff8a8a}}\
label{display:block;font-weight:600;margin:.5rem 0 .25rem}\
input[type=text]{\
    width:100%;max-width:28rem;font:inherit;color:inherit;background:var(--ground);\
    border:1px solid var(--quiet);border-radius:.4rem;padding:.5rem .6rem\
}\
.acts{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0 0;padding:0;list-style:none}\
button,.act{\
    font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.1rem;border-radius:.4rem;\
    border:1px solid var(--quiet);background:var(--card);color:var(--text);cursor:pointer;\
    text-decoration:none;display:inline-block\
}\
[hidden]{display:none}\
button.go{background:var(--go);border-color:var(--go);color:var(--on)}\
button.stop{background:var(--stop);border-color:var(--stop);color:var(--on)}\
:focus-visible{outline:3px solid var(--link);outline-offset:2px}\
.hint{color:var(--quiet);font-size:.9rem}\
";
