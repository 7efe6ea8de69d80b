"""AWS Lambda as moto stands in for it: it checks signatures against the key that it gave.

Settings (JSON, the first argument): `function`, the name of the function that is there. Writes {"url", "key", "secret"}, then
one object per invocation: its status, its type and its payload.
"""

import io
import json
import os
import sys
import threading
import zipfile

# The five calls that make the function and its caller are free; after that moto looks at signatures and policies.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "5"

import boto3
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

default_user_config["lambda"] = {"use_docker": False}
settings = json.loads(sys.argv[1])
moto = DomainDispatcherApplication(create_backend_app)


def app(environ, start_response):
    if not environ["PATH_INFO"].endswith("/invocations"):
        return moto(environ, start_response)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    said = {"type": environ.get("HTTP_X_AMZ_INVOCATION_TYPE"), "payload": json.loads(body)}

    def started(status, headers, *rest):
        said["status"] = int(status.split()[0])
        return start_response(status, headers, *rest)

    answer = list(moto(environ, started))
    print(json.dumps(said), flush=True)
    return answer


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
url = f"http://127.0.0.1:{server.port}"
threading.Thread(target=server.serve_forever, daemon=True).start()

common = {"endpoint_url": url, "region_name": "eu-west-1", "aws_access_key_id": "any", "aws_secret_access_key": "any"}
iam = boto3.client("iam", **common)
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.create_user(UserName="overrun")
# moto looks for the action that stands in its own list, and there is none for invocations.
allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="overrun", PolicyName="invoke", PolicyDocument=json.dumps(allow))
key = iam.create_access_key(UserName="overrun")["AccessKey"]
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as files:
    files.writestr("app.py", "def handler(event, context):\n    return event\n")
boto3.client("lambda", **common).create_function(
    FunctionName=settings["function"], Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": archive.getvalue()}
)
print(json.dumps({"url": url, "key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}), flush=True)
threading.Event().wait()
