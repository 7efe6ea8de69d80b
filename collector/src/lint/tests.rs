use super::*;

fn found(files: &[(&str, &str)]) -> Report {
    let files: Vec<File<'_>> = files.iter().map(|(name, text)| File { name, text }).collect();
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    lint(&files, &names)
}

/// What is claimed of these files.
fn claims(files: &[(&str, &str)]) -> Vec<String> {
    found(files).inversions.into_iter().map(|finding| finding.message.split(" (`").next().unwrap_or_default().to_owned()).collect()
}

const GUNICORN: &str = "bind = '0.0.0.0:8000'\ntimeout = 120\n";

#[test]
fn a_proxy_is_tied_to_the_only_server_unless_its_port_says_otherwise() {
    let nginx = |target: &str| format!("server {{ location / {{ proxy_pass http://{target}; proxy_read_timeout 30s; }} }}");
    let with = |target: &str| claims(&[("nginx.conf", &nginx(target)), ("gunicorn.conf.py", GUNICORN)]);
    let expected = ["nginx gives up at 30 s, gunicorn does not step in until 120 s"];
    assert_eq!(with("127.0.0.1:8000"), expected);
    assert_eq!(with("app"), expected);
    assert!(with("127.0.0.1:9000").is_empty());
    assert!(with("app:9000").is_empty());
    assert!(with("api.example.com").is_empty(), "somebody else's");
    let two = [("nginx.conf", nginx("app")), ("a/gunicorn.conf.py", GUNICORN.to_owned()), ("b/gunicorn.conf.py", GUNICORN.to_owned())];
    let two: Vec<(&str, &str)> = two.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert!(claims(&two).is_empty(), "nothing tells which of the two");
    let both =
        "server { proxy_read_timeout 30s; location / { proxy_pass http://pages:3000; } location /api { proxy_pass http://app:8000; } }";
    assert_eq!(claims(&[("nginx.conf", both), ("gunicorn.conf.py", GUNICORN)]), expected, "the port tells which");
    assert!(claims(&[("nginx.conf", both), ("gunicorn.conf.py", "timeout = 120")]).is_empty(), "nothing tells which of the two");
}

#[test]
fn a_command_outranks_the_file_that_it_reads() {
    let compose = "services:\n  web:\n    build: .\n  proxy:\n    image: haproxy\n    volumes: ['./haproxy.cfg:/h.cfg']\n";
    let docker = "FROM x\nCMD gunicorn app:app -c conf/gunicorn.py --timeout 20\n";
    let haproxy = "defaults\n  timeout server 30s\nbackend b\n  server s web:8000\n";
    let files = [
        ("compose.yaml", compose),
        ("Dockerfile", docker),
        ("conf/gunicorn.py", "timeout = 120\ngraceful_timeout = 9"),
        ("haproxy.cfg", haproxy),
    ];
    let report = found(&files);
    assert!(report.inversions.is_empty(), "{:#?}", report.inversions);
    let chain: Vec<_> =
        report.services[0].chains[0].iter().map(|link| format!("{} {}", link.limit.setting, link.limit.value_ms.expect("known"))).collect();
    assert_eq!(chain, ["timeout server 30 s", "--timeout 20 s", "--graceful-timeout 9 s"]);
}

#[test]
fn a_procfile_is_herokus_unless_something_else_runs_it() {
    let procfile = ("Procfile", "web: gunicorn app:app --timeout 60");
    assert_eq!(claims(&[procfile]), ["Heroku gives up at 30 s, gunicorn does not step in until 60 s"]);
    assert!(claims(&[procfile, ("fly.toml", "app = 'x'\n[http_service]\ninternal_port = 8000\n")]).is_empty());
    assert!(claims(&[procfile, ("Dockerfile", "FROM x\nCMD gunicorn app:app\n")]).is_empty());
    assert!(
        claims(&[procfile, ("nginx.conf", "server { location / { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 75s; } }")])
            .is_empty()
    );
    assert_eq!(claims(&[procfile, ("Dockerfile", "FROM x\n"), ("heroku.yml", "build: {docker: {web: Dockerfile}}")]).len(), 1);
}

#[test]
fn a_default_grace_is_only_held_against_a_stated_graceful_timeout() {
    let pod = |grace: &str, options: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  {grace}\n  containers:\n    - {{name: web, image: w, args: [gunicorn, app, {options}]}}\n"
        )
    };
    let with = |grace: &str, options: &str| claims(&[("pod.yaml", &pod(grace, options))]);
    let grace = "terminationGracePeriodSeconds: 20";
    assert_eq!(with(grace, ""), ["Kubernetes kills it 20 s after telling it to stop, gunicorn waits 30 s for its running requests"]);
    assert_eq!(with(grace, "-t, '60'"), ["Kubernetes kills it 20 s after telling it to stop, gunicorn lets requests run until 60 s"]);
    assert!(with(grace, "-t, '60', --graceful-timeout=15").is_empty());
    assert!(with("hostNetwork: true", "-t, '60'").is_empty());
    assert_eq!(with("hostNetwork: true", "--graceful-timeout=60").len(), 1);
}

#[test]
fn files_that_cannot_be_read_are_named_and_the_rest_is_read() {
    let broken = ("chart/templates/web.yaml", "kind: {{ .Values.kind }}\n  x: [\n");
    let template = (
        "template.yaml",
        "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {Timeout: 60, Events: {A: {Type: Api}}}\n",
    );
    let report = found(&[broken, ("chart/templates/job.yaml", broken.1), ("ci.yml", "jobs: {}\n"), template, ("bad.yaml", "a: [1, 2")]);
    assert_eq!(report.inversions.len(), 1);
    let named: Vec<_> = report.unreadable.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(named, ["chart/templates/", "bad.yaml"]);
    assert!(report.unreadable[0].reason.contains("filled in later"));
}

#[test]
fn rings_of_proxies_end() {
    let one = "server { location / { proxy_pass http://b:80; } }";
    let two = "server { location / { proxy_pass http://a:80; } }";
    let compose = "services:\n  a: {image: nginx, volumes: ['./a.conf:/x']}\n  b: {image: nginx, volumes: ['./b.conf:/x']}\n";
    assert!(found(&[("compose.yml", compose), ("a.conf", one), ("b.conf", two)]).inversions.is_empty());
}

#[test]
fn annotations_cannot_be_broken_out_of() {
    let report = found(&[("a,b:c/Procfile", "web: gunicorn app:app --timeout 60")]);
    let line = render::github(&report);
    assert!(line.starts_with("::error file=a%2Cb%3Ac/Procfile,line=1,title=outer_shorter_than_inner::Heroku gives up at 30 s"), "{line}");
    let sarif = render::sarif(&report);
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!((&place["artifactLocation"]["uri"], &place["region"]["startLine"]), (&"a%2Cb%3Ac/Procfile".into(), &1.into()));
}
