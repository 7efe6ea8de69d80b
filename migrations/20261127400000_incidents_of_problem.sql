-- The latest incident of a problem is asked for with every incident of it, however many there are: by an index in just that order.

create index incidents_of_problem on incidents (problem, at desc, id desc);
drop index incidents_problem;
